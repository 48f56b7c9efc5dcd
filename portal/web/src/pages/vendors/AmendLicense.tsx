import { Alert, Button, Checkbox, Group, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { IconUsers } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import type { Answer } from '../../api/problem';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { vendorText as text } from '../../text/en-vendors';
import { amendedOf, changedIn, changeOf, consequenceOf, describe, mergeInto, type Amended, type Cycle } from './amend';
import type { License } from './data';
import { areTerms, QuantityFields } from './QuantityFields';

/** A license was changed by somebody else while its form was open. */
interface Meanwhile {
  before: Amended;
  now: Amended;
}

/** Changes quantities, dates and prices of a license. */
export function AmendLicense({ license, onClose }: { license: License; onClose: () => void }) {
  const id = license.license_id;
  const [was, setWas] = useState(() => amendedOf(license));
  const [form, setForm] = useState(was);
  const [meanwhile, setMeanwhile] = useState<Meanwhile>();
  const [asked, setAsked] = useState<string>();
  const set = (change: Partial<Amended>): void => setForm((old) => ({ ...old, ...change }));
  const amend = useWrite((body: Schemas['LicenseChange']) => api.PATCH('/api/v1/licenses/{id}', { params: { path: { id } }, body }), {
    stale: ['licenses', 'overview', 'overage'],
    done: text.license.amended(id),
    failed: 'self',
    onSuccess: onClose,
  });
  const send = (): void => {
    setAsked(undefined);
    amend.mutate(changeOf(form, was));
  };
  // Who amends sees what is amended: not what it was when the form was opened.
  const look = useWrite(() => api.GET('/api/v1/licenses/{id}', { params: { path: { id }, query: { consistency: 'linearizable' } } }) as Promise<Answer<License>>, {
    failed: 'self',
    onSuccess: (fresh) => {
      const now = amendedOf(fresh);
      if (changedIn(now, was).length > 0) {
        setMeanwhile({ before: was, now });
        setForm(mergeInto(form, was, now));
        setWas(now);
        return;
      }
      const what = quantitiesChanged(form, was) ? consequenceOf(form, fresh.pool?.in_use ?? 0) : undefined;
      if (what === undefined) send();
      else setAsked(what);
    },
  });
  const ready = areTerms(form) && changedIn(form, was).length > 0;
  const error = amend.error ?? look.error;
  const wrong = (pointer: string): string | undefined => amend.error?.field(pointer);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!ready) return;
    amend.reset();
    look.mutate(undefined);
  };
  return (
    <>
      <form onSubmit={submit}>
        <Stack gap="md">
          <Text size="sm" c="dimmed">{text.license.amendText}</Text>
          {meanwhile !== undefined && <Changed meanwhile={meanwhile} form={form} onTake={() => setForm(was)} />}
          <QuantityFields value={form} onChange={set} errors={(field) => wrong(`entitlement/${field}`)} fixedCurrency />
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            <TextInput type="date" label={text.generate.start} value={form.start} error={wrong('contract/start_date')} onChange={(e) => set({ start: e.currentTarget.value })} />
            <TextInput type="date" label={text.generate.end} value={form.end} error={wrong('contract/end_date')} onChange={(e) => set({ end: e.currentTarget.value })} />
            <TextInput label={text.generate.version} value={form.version} error={wrong('product/version')} onChange={(e) => set({ version: e.currentTarget.value })} />
            <Select label={text.generate.cycle} allowDeselect={false} data={Object.entries(text.generate.cycles).map(([value, label]) => ({ value, label }))} value={form.cycle} onChange={(v) => v !== null && set({ cycle: v as Cycle })} />
          </SimpleGrid>
          <Checkbox label={text.generate.renew} checked={form.renew} onChange={(e) => set({ renew: e.currentTarget.checked })} />
          {error !== null && <ProblemAlert error={error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
            <Button type="submit" loading={look.isPending || amend.isPending} disabled={!ready}>{text.license.amend}</Button>
          </Group>
        </Stack>
      </form>
      <ConfirmByName opened={asked !== undefined} onClose={() => setAsked(undefined)} title={text.license.amendQuestion(id)} action={text.license.amend} onConfirm={send}>
        {asked}
      </ConfirmByName>
    </>
  );
}

function quantitiesChanged(form: Amended, was: Amended): boolean {
  return form.total !== was.total || form.commit !== was.commit || form.overage !== was.overage;
}

function Changed({ meanwhile: { before, now }, form, onTake }: { meanwhile: Meanwhile; form: Amended; onTake: () => void }) {
  const mine = changedIn(form, now);
  return (
    <Alert color="yellow" variant="outline" icon={<IconUsers />} role="alert" title={text.license.meanwhile} styles={{ root: { background: 'var(--portal-card)' }, title: { color: 'var(--portal-warn)' } }}>
      <Stack gap="xs" align="flex-start">
        {changedIn(now, before).map((name) => {
          const { label, value } = describe(name, now);
          const kept = mine.includes(name) ? ` ${text.license.yours(describe(name, form).value)}` : '';
          return <Text size="sm" key={name}>{text.license.changed(label, describe(name, before).value, value)}{kept}</Text>;
        })}
        <Text size="sm">{text.license.meanwhileText}</Text>
        {mine.length > 0 && <Button size="xs" variant="default" onClick={onTake}>{text.license.takeTheirs}</Button>}
      </Stack>
    </Alert>
  );
}
