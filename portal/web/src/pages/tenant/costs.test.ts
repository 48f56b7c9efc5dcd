import { describe, expect, test } from 'vitest';

import { costsCSV } from './costs-csv';
import { elapsedPart, forecast } from './forecast';

const now = Date.parse('2026-11-16T00:00:00Z'); // half of November is over

describe('forecast', () => {
  test('commit fees are whole, overage goes on in a straight line', () => {
    expect(elapsedPart('2026-11', now)).toBe(0.5);
    expect(forecast({ commit_fee: 5_000, overage_cost: 1_500.05, currency: 'EUR' }, '2026-11', now)).toBe(8_000.1);
    expect(forecast({ commit_fee: 1_200, overage_cost: 7, currency: 'JPY' }, '2026-11', now)).toBe(1_214);
  });

  test('there is none of months that are over, nor within the first day', () => {
    expect(forecast({ commit_fee: 1, overage_cost: 1, currency: 'EUR' }, '2026-10', now)).toBeUndefined();
    expect(forecast({ commit_fee: 1, overage_cost: 1, currency: 'EUR' }, '2026-11', Date.parse('2026-11-01T12:00:00Z'))).toBeUndefined();
  });
});

test('the CSV has amounts with their decimals, and no formulas', () => {
  const csv = costsCSV({
    period: '2026-11',
    vendors: [{ vendor_id: 'v', vendor_name: '=SUM(A1)', products: [{ product_id: 'p', product_name: 'A, "B"', license_id: 'l', commit_qty: 5, commit_fee: 5_000, overage_checkouts: 2, overage_cost: 0.1, total: 5_000.1, currency: 'EUR' }] }],
    totals: [],
  });
  expect(csv.split('\r\n')[1]).toBe(`2026-11,v,'=SUM(A1),p,"A, ""B""",l,5,5000.00,2,0.10,5000.10,EUR`);
});
