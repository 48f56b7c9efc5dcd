import { Fieldset, Select, SimpleGrid, TextInput } from '@mantine/core';
import type { GetInputPropsReturnType } from '@mantine/form';
import { useMemo, type ReactNode } from 'react';

import { countries } from '../../countries';
import type { Schemas } from '../../api/client';
import type { Problem } from '../../api/problem';
import { apexText as text } from '../../text/en-apex';

export interface CompanyValues {
  company: Required<Schemas['Company']>;
  admin: Schemas['Administrator'];
}

export const emptyCompany: CompanyValues = {
  company: { name: '', domain: '', country: navigator.language.split('-')[1] ?? '', tax_id: '' },
  admin: { name: '', email: '' },
};

/** The body's company: what is empty is left out. */
export function companyOf({ tax_id, ...company }: CompanyValues['company']): Schemas['Company'] {
  return tax_id.trim() === '' ? company : { ...company, tax_id: tax_id.trim() };
}

/** How a field of the form is bound, with what the API says of it. */
export type Bind = (path: string) => GetInputPropsReturnType;

export function bindTo(form: { getInputProps: (path: string) => GetInputPropsReturnType }, error: Problem | null): Bind {
  return (path) => {
    const props = form.getInputProps(path);
    return { ...props, error: props.error ?? error?.field(path.replace('.', '/')) };
  };
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

/** An id as one would make it of a domain: mercedes.com → mercedes. */
export function idOf(domain: string): string {
  return (domain.trim().toLowerCase().split('.').at(-2) ?? '').replaceAll(/[^a-z0-9-]/g, '');
}
