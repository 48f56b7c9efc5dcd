import { NumberInput, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';

import { vendorText as text } from '../../text/en-vendors';
import { decimalsOf, meaningOf, wrongQuantities, type Quantities } from './entitlement';

export interface Terms extends Quantities {
  fee: number | '';
  use: number | '';
  currency: string;
}

/** Quantities and prices, with a check of T ≤ C + M while they are typed. */
export function QuantityFields({ value, onChange, errors, fixedCurrency = false }: {
  value: Terms;
  onChange: (change: Partial<Terms>) => void;
  errors: (field: 'total_licenses' | 'commit_qty' | 'max_overage' | 'pricing/commit_fee_monthly' | 'pricing/overage_per_use' | 'pricing/currency') => ReactNode;
  fixedCurrency?: boolean;
}) {
  const wrong = wrongQuantities(value);
  const decimals = decimalsOf(value.currency);
  const seats = { required: true, min: 0, max: 100_000_000, allowDecimal: false, allowNegative: false, thousandSeparator: ',', className: 'num' } as const;
  const money = { required: true, min: 0, allowNegative: false, thousandSeparator: ',', decimalScale: decimals, suffix: ` ${value.currency}`, className: 'num' } as const;
  return (
    <Stack gap="sm">
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <NumberInput {...seats} label={text.generate.total} value={value.total} error={errors('total_licenses')} onChange={(v) => onChange({ total: numberOf(v) })} />
        <NumberInput {...seats} label={text.generate.commit} value={value.commit} error={errors('commit_qty')} onChange={(v) => onChange({ commit: numberOf(v) })} />
        <NumberInput {...seats} label={text.generate.overage} value={value.overage} error={errors('max_overage')} onChange={(v) => onChange({ overage: numberOf(v) })} />
      </SimpleGrid>
      <Text size="sm" role="status" c={wrong === undefined ? 'dimmed' : 'var(--portal-bad)'}>{wrong ?? meaningOf(value)}</Text>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <NumberInput {...money} label={text.generate.fee} value={value.fee} error={errors('pricing/commit_fee_monthly')} onChange={(v) => onChange({ fee: numberOf(v) })} />
        <NumberInput {...money} label={text.generate.use} value={value.use} error={errors('pricing/overage_per_use')} onChange={(v) => onChange({ use: numberOf(v) })} />
        <TextInput label={text.generate.currency} required maxLength={3} disabled={fixedCurrency} value={value.currency} error={errors('pricing/currency')} onChange={(e) => onChange({ currency: e.currentTarget.value.toUpperCase() })} />
      </SimpleGrid>
    </Stack>
  );
}

function numberOf(value: number | string): number | '' {
  return value === '' ? '' : Number(value);
}
