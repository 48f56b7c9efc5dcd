import { Text } from '@mantine/core';

import { formatCount, formatMoney } from '../format';

/** A number in tabular digits. */
export function Count({ value, dimZero = false }: { value: number; dimZero?: boolean }) {
  return <Text span inherit className="num" c={dimZero && value === 0 ? 'dimmed' : undefined}>{formatCount(value)}</Text>;
}

/** An amount as the API sums it; null where currencies mix. */
export function Money({ amount, currency }: { amount: number | null; currency: string | null }) {
  if (amount === null || currency === null) return <Text span inherit c="dimmed">–</Text>;
  return <Text span inherit className="num" style={{ whiteSpace: 'nowrap' }}>{formatMoney(amount, currency)}</Text>;
}
