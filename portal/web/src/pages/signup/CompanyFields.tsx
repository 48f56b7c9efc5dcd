import { Fieldset, Select, SimpleGrid, TextInput } from '@mantine/core';
import { useMemo, type ReactNode } from 'react';

import { countries } from '../../countries';
import type { Schemas } from '../../api/client';
import type { Bind } from '../../parts/form';
import { apexText as text } from '../../text/en-apex';

export interface CompanyValues {
  company: Required<Schemas['Company']>;
  admin: Schemas['Administrator'];
}

export const emptyCompany: CompanyValues = {
  company: { name: '', domain: '', country: new Intl.Locale(navigator.language).region ?? '', tax_id: '' },
  admin: { name: '', email: '' },
};

/** The pointers of these fields in the body. */
export const companyPointers: readonly string[] = ['company/name', 'company/domain', 'company/country', 'company/tax_id', 'admin/name', 'admin/email'];

/** The body's company: what is empty is left out. */
export function companyOf({ tax_id, ...company }: CompanyValues['company']): Schemas['Company'] {
  return tax_id.trim() === '' ? company : { ...company, tax_id: tax_id.trim() };
}

/** The name alone, where an address of the company's site was pasted. */
export function domainOf(typed: string): string {
  return typed.trim().toLowerCase().replace(/^https?:\/\//, '').replace(/^www\./, '').replace(/\/+$/, '');
}

/** A form's values with the domain as it is sent. */
export function withDomain<V extends CompanyValues>(values: V): V {
  return { ...values, company: { ...values.company, domain: domainOf(values.company.domain) } };
}

/** What all sign-ups ask for: the company, and who administers first. */
export function CompanyFields({ bind, children }: { bind: Bind; children: ReactNode }) {
  const data = useMemo(() => countries(), []);
  return (
    <>
      <Fieldset legend={text.signUp.company}>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
          <TextInput label={text.signUp.companyName} required withAsterisk={false} maxLength={300} autoComplete="organization" autoFocus {...bind('company.name')} />
          <TextInput label={text.signUp.domain} placeholder={text.signUp.domainHint} required withAsterisk={false} autoCapitalize="none" spellCheck={false} {...bind('company.domain')} />
          <Select label={text.signUp.country} required withAsterisk={false} searchable allowDeselect={false} data={data} autoComplete="off" {...bind('company.country')} />
          <TextInput label={text.signUp.taxId} maxLength={50} {...bind('company.tax_id')} />
        </SimpleGrid>
      </Fieldset>
      {children}
      <Fieldset legend={text.signUp.admin}>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
          <TextInput label={text.signUp.adminName} required withAsterisk={false} maxLength={100} autoComplete="name" {...bind('admin.name')} />
          <TextInput label={text.signUp.adminEmail} description={text.signUp.adminEmailHint} inputWrapperOrder={['label', 'input', 'description', 'error']} type="email" required withAsterisk={false} autoComplete="email" {...bind('admin.email')} />
        </SimpleGrid>
      </Fieldset>
    </>
  );
}

// The second level under which some countries register companies.
const secondLevels: ReadonlySet<string> = new Set(['ac', 'co', 'com', 'edu', 'gob', 'gov', 'gouv', 'ltd', 'ne', 'net', 'or', 'org', 'plc']);

/** An id as one would make it of a domain: mercedes.com → mercedes, acme.co.uk → acme. */
export function idOf(domain: string): string {
  const labels = domainOf(domain).split('.').slice(0, -1);
  if (labels.length > 1 && secondLevels.has(labels.at(-1) ?? '')) labels.pop();
  return (labels.at(-1) ?? '').replaceAll(/[^a-z0-9-]/g, '');
}
