import { Button, Checkbox, Group, Modal, Radio, Select, SimpleGrid, Stack, Stepper, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import type { Answer } from '../../api/problem';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { keysText as text } from '../../text/en-tenant';
import { areRates, RestrictionFields, toRestrictions, type RestrictionValues } from './RestrictionFields';

type Made = Schemas['GeneratedKey'];
type Scope = Schemas['ScopeName'];
type AppType = NonNullable<Schemas['KeyRequest']['app_type']>;

interface Values extends RestrictionValues {
  name: string;
  department: string;
  contact: string;
  type: AppType;
  scopes: Scope[];
  expiryDays: string;
}

const appTypes: readonly AppType[] = ['desktop', 'ci_cd', 'cloud_service'];
const scopes: readonly Scope[] = ['license:checkout', 'license:return'];
const initial: Values = { name: '', department: '', contact: '', type: 'desktop', scopes: [...scopes], expiryDays: '365', hostnames: [], ranges: [], perMinute: 100, perHour: 1_000 };
const lastStep = 2;

/** Asks in three steps for what a key needs; Enter leads to the next one. */
export function KeyWizard({ opened, onClose, onMade }: { opened: boolean; onClose: () => void; onMade: (key: Made) => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={text.generateTitle} size="lg">
      <Steps onClose={onClose} onMade={onMade} />
    </Modal>
  );
}

function toRequest(v: Values): Schemas['KeyRequest'] {
  const about = Object.entries({ department: v.department.trim(), contact: v.contact.trim() }).filter(([, value]) => value !== '');
  return {
    app_name: v.name.trim(),
    app_type: v.type,
    scopes: v.scopes,
    ...(about.length === 0 ? {} : { metadata: Object.fromEntries(about) as Schemas['KeyRequest']['metadata'] }),
    ...(v.expiryDays === '' ? {} : { expires_in_days: Number(v.expiryDays) }),
    ...toRestrictions(v),
  };
}

function Steps({ onClose, onMade }: { onClose: () => void; onMade: (key: Made) => void }) {
  const [step, setStep] = useState(0);
  const [tried, setTried] = useState(false);
  const [values, setValues] = useState(initial);
  // Repeated by a second click or a lost reply, it makes no second key.
  const [intent] = useState(() => crypto.randomUUID?.() ?? String(Math.random()));
  const generate = useWrite(
    (body: Schemas['KeyRequest']) => api.POST('/api/v1/keys/generate', { body, params: { header: { 'Idempotency-Key': intent } } }) as Promise<Answer<Made>>,
    { stale: ['keys'], failed: 'self', onSuccess: onMade },
  );
  const change = (some: Partial<Values>): void => setValues({ ...values, ...some });
  const { error } = generate;
  const named = values.name.trim() !== '';
  const complete = step === 0 ? named : step === 1 ? values.scopes.length > 0 : areRates(values);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setTried(!complete);
    if (!complete) return;
    if (step < lastStep) setStep(step + 1);
    else generate.mutate(toRequest(values));
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="lg">
        <Stepper active={step} size="sm" allowNextStepsSelect={false} onStepClick={setStep}>
          <Stepper.Step label={text.steps.app}>
            <Stack gap="md">
              <TextInput data-autofocus label={text.name} description={text.nameHint} maxLength={100} autoComplete="off" value={values.name} onChange={(e) => change({ name: e.currentTarget.value })} error={(tried && !named && text.nameMissing) || error?.field('app_name')} />
              <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
                <TextInput label={text.department} placeholder={text.optional} maxLength={200} autoComplete="off" value={values.department} onChange={(e) => change({ department: e.currentTarget.value })} />
                <TextInput label={text.contact} placeholder={text.optional} maxLength={200} autoComplete="off" value={values.contact} onChange={(e) => change({ contact: e.currentTarget.value })} />
              </SimpleGrid>
              <Radio.Group label={text.type} value={values.type} onChange={(type) => change({ type: type as AppType })}>
                <Stack gap="xs" mt={6}>{appTypes.map((t) => <Radio key={t} value={t} label={text.types[t]} description={text.typeTexts[t]} />)}</Stack>
              </Radio.Group>
            </Stack>
          </Stepper.Step>
          <Stepper.Step label={text.steps.access}>
            <Stack gap="md">
              <Checkbox.Group label={text.scopesLabel} value={values.scopes} onChange={(s) => change({ scopes: s as Scope[] })} error={values.scopes.length === 0 && text.scopesMissing}>
                <Stack gap="xs" my={6}>{scopes.map((s) => <Checkbox key={s} value={s} label={text.scopeNames[s]} description={text.scopeTexts[s]} />)}</Stack>
              </Checkbox.Group>
              <Select label={text.expiry} allowDeselect={false} value={values.expiryDays} onChange={(expiryDays) => change({ expiryDays: expiryDays ?? '' })} data={text.expiries.map(([value, label]) => ({ value, label }))} />
            </Stack>
          </Stepper.Step>
          <Stepper.Step label={text.steps.limits}>
            <RestrictionFields values={values} onChange={change} error={error} />
          </Stepper.Step>
        </Stepper>
        {error !== null && <ProblemAlert error={error} />}
        <Group justify="space-between">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Group gap="xs">
            {step > 0 && <Button variant="default" onClick={() => setStep(step - 1)}>{text.back}</Button>}
            <Button type="submit" loading={generate.isPending}>{step < lastStep ? text.next : text.generate}</Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
