import { expect, test } from 'vitest';

import { decimalsOf, fitsCurrency, formatNumber, parseNumber } from './numbers';

const seats = { decimals: 0, most: 100_000_000 };
const money = { decimals: 2 };

/** What each locale makes of what is typed; a word is part of what is said. */
const table: readonly [locale: string, rule: typeof seats | typeof money, typed: string, want: number | '' | string][] = [
  ['en-US', money, '1,000', 1_000],
  ['en-US', money, '1,250.50', 1_250.5],
  ['en-US', money, ' 1250.5 ', 1_250.5],
  ['en-US', money, '12.', 12],
  ['en-US', money, '.5', 0.5],
  ['en-US', money, '0', 0],
  ['en-US', money, '007', 7],
  ['en-US', money, '', ''],
  ['en-US', money, '5.000,00', 'like 1,234.50'],
  ['en-US', money, '12,5', 'like 1,234.50'],
  ['en-US', money, '1,00', 'like'],
  ['en-US', money, '1,0000', 'like'],
  ['en-US', money, ',100', 'like'],
  ['en-US', money, '1.2.3', 'like'],
  ['en-US', money, '.', 'like'],
  ['en-US', money, ',', 'like'],
  ['en-US', money, '€5', 'like'],
  ['en-US', money, '1e9', 'like'],
  ['en-US', money, '0x10', 'like'],
  ['en-US', money, 'Infinity', 'like'],
  ['en-US', money, '5.000', '2 decimals'],
  ['en-US', money, '-5', 'negative'],
  ['en-US', money, '−5', 'negative'],
  ['en-US', money, '9'.repeat(17), 'At most'],
  ['en-US', seats, '1,000', 1_000],
  ['en-US', seats, '-5', 'negative'],
  ['en-US', seats, '1.5', 'Whole'],
  ['en-US', seats, '1e9', 'like 1,234.'],
  ['en-US', seats, '100,000,001', 'At most 100,000,000'],
  ['de-DE', money, '5.000,00', 5_000],
  ['de-DE', money, '1.250,5', 1_250.5],
  ['de-DE', money, '12,5', 12.5],
  ['de-DE', money, '1,000', '2 decimals'],
  ['de-DE', money, '1,250.50', 'like 1.234,50'],
  ['de-DE', money, '12.5', 'like'],
  ['de-DE', seats, '1.000', 1_000],
  ['de-DE', seats, '1,5', 'Whole'],
  ['fr-FR', money, '1 250,50', 1_250.5],
  ['fr-FR', money, '1\u202F250,50', 1_250.5],
  ['fr-FR', money, '1\u00A0250,50', 1_250.5],
  ['fr-FR', money, '12 50', 'like'],
  ['fr-FR', money, '1.250,50', 'like'],
  ['de-CH', money, '1’250.50', 1_250.5],
  ['de-CH', money, "1'250.50", 1_250.5],
  ['de-CH', money, '12,5', 'like'],
  ['es-ES', money, '1000', 1_000],
  ['es-ES', money, '1.000', 1_000],
  ['en-IN', money, '12,34,567', 1_234_567],
  ['en-IN', money, '1,234,567', 'like'],
  ['ar-EG', money, '١٬٢٥٠٫٥٠', 1_250.5],
  ['ar-EG', money, '1250', 1_250],
];

test.each(table)('%s %o: %s', (locale, rule, typed, want) => {
  const got = parseNumber(typed, rule, locale);
  if (typeof want === 'number' || want === '') expect(got).toEqual({ value: want });
  else expect(got).toEqual({ value: Number.NaN, wrong: expect.stringContaining(want) });
});

test.each(['en-US', 'de-DE', 'fr-FR', 'de-CH', 'pl-PL', 'en-IN', 'ar-EG'])('%s reads what it writes', (locale) => {
  for (const value of [0, 1_000, 12_345.6, 1_234_567.89]) {
    expect(parseNumber(formatNumber(value, 2, locale), money, locale)).toEqual({ value });
  }
});

test('an amount has the decimals of its currency', () => {
  expect([decimalsOf('EUR'), decimalsOf('JPY'), decimalsOf('EU')]).toEqual([2, 0, 2]);
  expect([fitsCurrency(99.5, 'EUR'), fitsCurrency(99.5, 'JPY'), fitsCurrency('', 'EUR'), fitsCurrency(Number.NaN, 'EUR')]).toEqual([true, false, false, false]);
});
