import { expect, test } from 'vitest';

import { formatDay, formatMoney, formatRelative, formatUTC } from './format';

test('money has the decimals of its currency', () => {
  expect(formatMoney(22000, 'EUR')).toBe('€22,000.00');
  expect(formatMoney(1200, 'JPY')).toBe('¥1,200');
});

test('a contract day is the same day wherever the reader is', () => {
  expect(formatDay('2025-12-31')).toBe('Dec 31, 2025');
});

test('times are relative, and exact in UTC', () => {
  const now = Date.parse('2026-11-26T13:00:00Z');
  expect(formatRelative('2026-11-26T12:57:00Z', now)).toBe('3 minutes ago');
  expect(formatRelative('2026-11-28T13:00:00Z', now)).toBe('in 2 days');
  expect(formatRelative('2026-11-26T13:00:00Z', now)).toBe('now');
  expect(formatUTC('2026-11-26T13:05:19.7Z')).toBe('2026-11-26 13:05:19 UTC');
});
