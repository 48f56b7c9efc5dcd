import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState, type ReactNode } from 'react';

import { vendorText as text } from '../../text/en-vendors';
import { useCustomerChoices, type FoundCustomer } from './data';

const typingMillis = 250;

/** Chooses a linked customer by name, CRM account or tenant. */
export function CustomerSelect({ value, onChange, label = text.customers.customer, required = false, w, error }: {
  /** A CRM account. */
  value: string | null;
  onChange: (crmAccount: string | null, customer: FoundCustomer | undefined) => void;
  label?: string;
  required?: boolean;
  w?: number;
  error?: ReactNode;
}) {
  const [typed, setTyped] = useState('');
  const [chosen, setChosen] = useState<FoundCustomer>(); // may be beyond the first of all
  const [name] = useDebouncedValue(typed.trim(), typingMillis);
  const all = useCustomerChoices('').data ?? [];
  const known = [...all, ...(chosen === undefined ? [] : [chosen])];
  const settled = known.some((c) => labelOf(c) === name); // what is shown of a choice is no search
  const found = useCustomerChoices(settled ? '' : name).data ?? [];
  const choices = new Map([...known, ...found].map((c) => [c.crm_account_id, c] as const));
  const data = [...choices.values()].map((c) => ({ value: c.crm_account_id, label: labelOf(c) }));
  if (value !== null && !choices.has(value)) data.push({ value, label: value });
  return (
    <Select
      label={label}
      w={w}
      searchable
      clearable={!required}
      required={required}
      placeholder={required ? undefined : text.customers.any}
      nothingFoundMessage={text.customers.noneFound}
      data={data}
      value={value}
      error={error}
      onSearchChange={setTyped}
      onChange={(crm) => {
        const customer = crm === null ? undefined : choices.get(crm);
        setChosen(customer);
        onChange(crm, customer);
      }}
    />
  );
}

function labelOf(c: FoundCustomer): string {
  return `${c.company_name} (${c.crm_account_id})`;
}
