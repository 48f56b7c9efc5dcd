import { Autocomplete, SegmentedControl, SimpleGrid, TextInput } from '@mantine/core';

import { vendorText as text } from '../../text/en-vendors';
import { CustomerSelect } from './CustomerSelect';
import { useProducts } from './data';

/** For whom a license is, and of what. */
export interface WhatFor {
  kind: 'linked' | 'new';
  crm: string;
  name: string;
  tenant: string;
  email: string;
  productId: string;
  productName: string;
  version: string;
}

interface Props {
  form: WhatFor;
  onChange: (change: Partial<WhatFor>) => void;
  /** What the server said of a field, by its JSON pointer. */
  wrong: (pointer: string) => string | undefined;
}

const below = ['label', 'input', 'description', 'error'] as ('label' | 'input' | 'description' | 'error')[];

export function CustomerFields({ form, onChange, wrong }: Props) {
  const email = (
    <TextInput label={text.generate.email} description={text.generate.emailHint} inputWrapperOrder={below} type="email" maxLength={254} autoComplete="off" value={form.email} error={wrong('customer/contact_email')} onChange={(e) => onChange({ email: e.currentTarget.value })} />
  );
  return (
    <>
      <SegmentedControl
        aria-label={text.generate.customer}
        value={form.kind}
        onChange={(kind) => onChange({ kind: kind as WhatFor['kind'], crm: '', name: '', tenant: '' })}
        data={[{ value: 'linked', label: text.generate.linked }, { value: 'new', label: text.generate.other }]}
        style={{ alignSelf: 'flex-start' }}
      />
      {form.kind === 'linked' ? (
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <CustomerSelect
            required
            value={form.crm === '' ? null : form.crm}
            error={wrong('customer/crm_account_id')}
            onChange={(crm, c) => onChange({ crm: crm ?? '', name: c?.company_name ?? '', tenant: c?.tenant_id ?? '' })}
          />
          {email}
        </SimpleGrid>
      ) : (
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <TextInput label={text.generate.name} required maxLength={300} autoComplete="off" value={form.name} error={wrong('customer/name')} onChange={(e) => onChange({ name: e.currentTarget.value })} />
          <TextInput label={text.generate.crm} description={text.generate.crmHint} inputWrapperOrder={below} required maxLength={100} autoComplete="off" value={form.crm} error={wrong('customer/crm_account_id')} onChange={(e) => onChange({ crm: e.currentTarget.value })} />
          <TextInput label={text.generate.tenant} description={text.generate.tenantHint} inputWrapperOrder={below} required maxLength={50} autoComplete="off" spellCheck={false} value={form.tenant} error={wrong('customer/tenant_id')} onChange={(e) => onChange({ tenant: e.currentTarget.value })} />
          {email}
        </SimpleGrid>
      )}
    </>
  );
}

export function ProductFields({ form, onChange, wrong }: Props) {
  const products = (useProducts().data?.items ?? []).filter((p) => !p.archived);
  const choose = (productId: string): void => {
    const known = products.find((p) => p.product_id === productId);
    onChange(known === undefined ? { productId } : { productId, productName: known.name, version: known.version });
  };
  return (
    <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
      <Autocomplete label={text.generate.productId} description={text.generate.productHint} inputWrapperOrder={below} required maxLength={100} data={products.map((p) => p.product_id)} value={form.productId} error={wrong('product/id')} onChange={choose} />
      <TextInput label={text.generate.productName} maxLength={300} autoComplete="off" value={form.productName} error={wrong('product/name')} onChange={(e) => onChange({ productName: e.currentTarget.value })} />
      <TextInput label={text.generate.version} description={text.generate.versionHint} inputWrapperOrder={below} maxLength={300} autoComplete="off" spellCheck={false} value={form.version} error={wrong('product/version')} onChange={(e) => onChange({ version: e.currentTarget.value })} />
    </SimpleGrid>
  );
}
