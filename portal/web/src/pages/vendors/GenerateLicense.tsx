import { Button, Checkbox, Group, Select, SimpleGrid, Stack, TextInput, Title } from '@mantine/core';
import { useState, type FormEvent, type ReactNode } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { PageHeader } from '../../parts/PageHeader';
import { addDays, today } from '../../parts/period';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { vendorText as text } from '../../text/en-vendors';
import { GeneratedCard } from './GeneratedCard';
import { CustomerFields, ProductFields, type WhatFor } from './GenerateFields';
import { areTerms, QuantityFields, type Terms } from './QuantityFields';

type Body = Schemas['NewLicense'];
type Cycle = Schemas['BillingCycle'];

interface Form extends WhatFor, Terms {
  opportunity: string;
  start: string;
  end: string;
  renew: boolean;
  cycle: Cycle;
  provision: boolean;
}

const yearDays = 364; // the last day is included

// A person without a CRM has no opportunity: this one says where it came from.
function newForm(customer: Partial<WhatFor> = {}): Form {
  const now = new Date().toISOString();
  return {
    kind: 'linked', crm: '', name: '', tenant: '', email: '', productId: '', productName: '', version: '',
    total: 20, commit: 5, overage: 15, fee: 0, use: 0, currency: 'EUR',
    opportunity: `portal-${now.slice(0, 19).replace(/\D/g, '')}`,
    start: today(), end: addDays(today(), yearDays), renew: false, cycle: 'monthly', provision: true,
    ...customer,
  };
}

function bodyOf(f: Form): Body {
  return {
    crm_opportunity_id: f.opportunity.trim(),
    customer: {
      crm_account_id: f.crm.trim(),
      name: f.name.trim(),
      ...(f.tenant.trim() === '' ? {} : { tenant_id: f.tenant.trim() }),
      ...(f.email.trim() === '' ? {} : { contact_email: f.email.trim() }),
    },
    product: {
      id: f.productId.trim(),
      ...(f.productName.trim() === '' ? {} : { name: f.productName.trim() }),
      ...(f.version.trim() === '' ? {} : { version: f.version.trim() }),
    },
    entitlement: {
      total_licenses: Number(f.total),
      commit_qty: Number(f.commit),
      max_overage: Number(f.overage),
      pricing: { commit_fee_monthly: Number(f.fee), overage_per_use: Number(f.use), currency: f.currency },
    },
    contract: { start_date: f.start, end_date: f.end, auto_renew: f.renew, billing_cycle: f.cycle },
    auto_provision: f.provision,
  };
}

/** A license by hand, as a CRM generates it by the API. */
export default function GenerateLicense() {
  const [params] = useSearchParams(); // a customer's page names the customer
  const [form, setForm] = useState(() => newForm({ crm: params.get('crm') ?? '', name: params.get('name') ?? '', tenant: params.get('tenant') ?? '' }));
  const generate = useWrite((body: Body) => api.POST('/api/v1/licenses/generate', { body }), { stale: ['licenses', 'customers', 'overview', 'usage'], failed: 'self' });
  if (generate.data !== undefined) {
    return (
      <>
        <PageHeader title={text.generate.title} description={text.generate.description} />
        <GeneratedCard generated={generate.data} customer={form.name} tenant={form.tenant} onAnother={() => { generate.reset(); setForm(newForm()); }} />
      </>
    );
  }
  return (
    <>
      <PageHeader title={text.generate.title} description={text.generate.description} />
      <GenerateForm form={form} onChange={(change) => setForm((old) => ({ ...old, ...change }))} busy={generate.isPending} error={generate.error} onSubmit={() => generate.mutate(bodyOf(form))} />
    </>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack component="section" aria-label={title} className="card" p="md" gap="sm">
      <Title order={2}>{title}</Title>
      {children}
    </Stack>
  );
}

interface GenerateFormProps {
  form: Form;
  onChange: (change: Partial<Form>) => void;
  busy: boolean;
  error: ReturnType<typeof useWrite<Body, unknown>>['error'];
  onSubmit: () => void;
}

function GenerateForm({ form, onChange, busy, error, onSubmit }: GenerateFormProps) {
  const navigate = useNavigate();
  const backwards = form.end < form.start ? text.generate.endBefore : undefined;
  const ready = areTerms(form) && backwards === undefined && form.crm.trim() !== '' && form.productId.trim() !== '';
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (ready) onSubmit();
  };
  const wrong = (pointer: string): string | undefined => error?.field(pointer);
  return (
    <form onSubmit={submit}>
      <Stack gap="md" maw={880}>
        <Section title={text.generate.customer}><CustomerFields form={form} onChange={onChange} wrong={wrong} /></Section>
        <Section title={text.generate.product}><ProductFields form={form} onChange={onChange} wrong={wrong} /></Section>
        <Section title={text.generate.entitlement}><QuantityFields value={form} onChange={onChange} errors={(field) => wrong(`entitlement/${field}`)} /></Section>
        <Section title={text.generate.contract}>
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            <TextInput type="date" label={text.generate.start} required value={form.start} error={wrong('contract/start_date')} onChange={(e) => onChange({ start: e.currentTarget.value })} />
            <TextInput type="date" label={text.generate.end} required value={form.end} error={backwards ?? wrong('contract/end_date')} onChange={(e) => onChange({ end: e.currentTarget.value })} />
            <Select label={text.generate.cycle} allowDeselect={false} data={Object.entries(text.generate.cycles).map(([value, label]) => ({ value, label }))} value={form.cycle} onChange={(v) => v !== null && onChange({ cycle: v as Cycle })} />
            <TextInput label={text.generate.opportunity} description={text.generate.opportunityHint} inputWrapperOrder={['label', 'input', 'description', 'error']} required maxLength={100} value={form.opportunity} error={wrong('crm_opportunity_id')} onChange={(e) => onChange({ opportunity: e.currentTarget.value })} />
          </SimpleGrid>
          <Checkbox label={text.generate.renew} checked={form.renew} onChange={(e) => onChange({ renew: e.currentTarget.checked })} />
          <Checkbox label={text.generate.provision} checked={form.provision} onChange={(e) => onChange({ provision: e.currentTarget.checked })} />
        </Section>
        {error !== null && <ProblemAlert error={error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={() => void navigate(-1)}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={busy} disabled={!ready}>{text.generate.action}</Button>
        </Group>
      </Stack>
    </form>
  );
}
