import { SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';

import { decimalsOf, fitsCurrency, type Typed } from '../../numbers';
import { NumberField } from '../../parts/NumberField';
import { vendorText as text } from '../../text/en-vendors';
import { meaningOf, wrongQuantities, type Quantities } from './entitlement';

export interface Terms extends Quantities {
  fee: Typed;
  use: Typed;
  currency: string;
}

/** Whether the server would take quantities and prices. */
export function areTerms(t: Terms): boolean {
  return wrongQuantities(t) === undefined && fitsCurrency(t.fee, t.currency) && fitsCurrency(t.use, t.currency);
}

/** Quantities and prices, with a check of T ≤ C + M while they are typed. */
export function QuantityFields({ value, onChange, errors, fixedCurrency = false }: {
  value: Terms;
  onChange: (change: Partial<Terms>) => void;
  errors: (field: 'total_licenses' | 'commit_qty' | 'max_overage' | 'pricing/commit_fee_monthly' | 'pricing/overage_per_use' | 'pricing/currency') => ReactNode;
  fixedCurrency?: boolean;
}) {
  const wrong = wrongQuantities(value);
  const seats = { required: true, decimals: 0, most: 100_000_000 } as const;
  const money = { required: true, decimals: decimalsOf(value.currency), unit: value.currency } as const;
  return (
    <Stack gap="sm">
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <NumberField {...seats} label={text.generate.total} value={value.total} error={errors('total_licenses')} onChange={(total) => onChange({ total })} />
        <NumberField {...seats} label={text.generate.commit} value={value.commit} error={errors('commit_qty')} onChange={(commit) => onChange({ commit })} />
        <NumberField {...seats} label={text.generate.overage} value={value.overage} error={errors('max_overage')} onChange={(overage) => onChange({ overage })} />
      </SimpleGrid>
      <Text size="sm" role="status" c={wrong === undefined ? 'dimmed' : 'var(--portal-bad)'}>{wrong ?? meaningOf(value)}</Text>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <NumberField {...money} label={text.generate.fee} value={value.fee} error={errors('pricing/commit_fee_monthly')} onChange={(fee) => onChange({ fee })} />
        <NumberField {...money} label={text.generate.use} value={value.use} error={errors('pricing/overage_per_use')} onChange={(use) => onChange({ use })} />
        <TextInput label={text.generate.currency} required maxLength={3} disabled={fixedCurrency} value={value.currency} error={errors('pricing/currency')} onChange={(e) => onChange({ currency: e.currentTarget.value.toUpperCase() })} />
      </SimpleGrid>
    </Stack>
  );
}
