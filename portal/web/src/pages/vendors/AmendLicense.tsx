import { Button, Checkbox, Group, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { vendorText as text } from '../../text/en-vendors';
import type { License } from './data';
import { areTerms, QuantityFields, type Terms } from './QuantityFields';

type Change = Schemas['LicenseChange'];
type Cycle = Schemas['BillingCycle'];

interface Form extends Terms {
  version: string;
  start: string;
  end: string;
  renew: boolean;
  cycle: Cycle;
}

function formOf({ entitlement: e, product, contract: c }: License): Form {
  return {
    total: e.total_licenses, commit: e.commit_qty, overage: e.max_overage,
    fee: e.pricing.commit_fee_monthly, use: e.pricing.overage_per_use, currency: e.pricing.currency,
    version: product.version ?? '', start: c.start_date ?? '', end: c.end_date ?? '', renew: c.auto_renew, cycle: c.billing_cycle,
  };
}

// What is as before is left out: it stays.
function changeOf(f: Form, was: Form): Change {
  const dates = { ...(f.start === was.start ? {} : { start_date: f.start }), ...(f.end === was.end ? {} : { end_date: f.end }) };
  return {
    entitlement: {
      total_licenses: Number(f.total), commit_qty: Number(f.commit), max_overage: Number(f.overage),
      pricing: { commit_fee_monthly: Number(f.fee), overage_per_use: Number(f.use) },
    },
    ...(f.version === was.version ? {} : { product: { version: f.version } }),
    contract: { ...dates, auto_renew: f.renew, billing_cycle: f.cycle },
  };
}

/** Changes quantities, dates and prices of a license. */
export function AmendLicense({ license, onClose }: { license: License; onClose: () => void }) {
  const [was] = useState(() => formOf(license));
  const [form, setForm] = useState(was);
  const set = (change: Partial<Form>): void => setForm((old) => ({ ...old, ...change }));
  const amend = useWrite((body: Change) => api.PATCH('/api/v1/licenses/{id}', { params: { path: { id: license.license_id } }, body }), {
    stale: ['licenses', 'overview', 'overage'],
    done: text.license.amended(license.license_id),
    failed: 'self',
    onSuccess: onClose,
  });
  const ready = areTerms(form);
  const wrong = (pointer: string): string | undefined => amend.error?.field(pointer);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (ready) amend.mutate(changeOf(form, was));
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">{text.license.amendText}</Text>
        <QuantityFields value={form} onChange={set} errors={(field) => wrong(`entitlement/${field}`)} fixedCurrency />
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <TextInput type="date" label={text.generate.start} value={form.start} error={wrong('contract/start_date')} onChange={(e) => set({ start: e.currentTarget.value })} />
          <TextInput type="date" label={text.generate.end} value={form.end} error={wrong('contract/end_date')} onChange={(e) => set({ end: e.currentTarget.value })} />
          <TextInput label={text.generate.version} value={form.version} error={wrong('product/version')} onChange={(e) => set({ version: e.currentTarget.value })} />
          <Select label={text.generate.cycle} allowDeselect={false} data={Object.entries(text.generate.cycles).map(([value, label]) => ({ value, label }))} value={form.cycle} onChange={(v) => v !== null && set({ cycle: v as Cycle })} />
        </SimpleGrid>
        <Checkbox label={text.generate.renew} checked={form.renew} onChange={(e) => set({ renew: e.currentTarget.checked })} />
        {amend.error !== null && <ProblemAlert error={amend.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={amend.isPending} disabled={!ready}>{text.license.amend}</Button>
        </Group>
      </Stack>
    </form>
  );
}
