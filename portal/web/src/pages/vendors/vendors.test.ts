import { expect, test } from 'vitest';

import { decimalsOf, meaningOf, wrongQuantities } from './entitlement';
import { chargesOf } from './overage';
import { addDays, firstDay, lastDay } from './period';
import { daysIn } from './range';
import { pointsOf } from './series';
import { walk } from './walk';

test('quantities are checked as the server does', () => {
  expect(wrongQuantities({ total: 20, commit: 5, overage: 15 })).toBeUndefined();
  expect(wrongQuantities({ total: 20, commit: 20, overage: 0 })).toBeUndefined();
  expect(wrongQuantities({ total: 21, commit: 5, overage: 15 })).toContain('21 is more than 20');
  expect(wrongQuantities({ total: 4, commit: 5, overage: 0 })).toContain('exceed total');
  expect(wrongQuantities({ total: '', commit: 5, overage: 0 })).toBeDefined();
  expect(meaningOf({ total: 20, commit: 15, overage: 8 })).toContain('3 overage seats cannot be reached');
  expect([decimalsOf('EUR'), decimalsOf('JPY'), decimalsOf('EU')]).toEqual([2, 0, 2]);
});

test('days and months are whole ones in UTC', () => {
  expect(addDays('2026-03-28', 2)).toBe('2026-03-30'); // clocks change between
  expect([firstDay('2028-02'), lastDay('2028-02'), lastDay('2026-12')]).toEqual(['2028-02-01', '2028-02-29', '2026-12-31']);
  expect(daysIn('2026-11-01', '2026-11-30')).toBe(30);
});

test('a chart has the periods that the API leaves out', () => {
  const used = { start: '2026-11-02T00:00:00Z', checkouts: 9, overage_checkouts: 4, overage_uses: 4, refusals: 1, refusals_by_code: {}, peak_in_use: 9, overage_peak: 4, seat_hours: 1, unique_users: 9 };
  const points = pointsOf([used], '2026-11-01', '2026-11-30', 'day', Date.parse('2026-11-03T12:00:00Z'));
  expect(points.map((p) => [p.at.slice(0, 10), p.commit, p.overage, p.refused])).toEqual([['2026-11-01', 0, 0, 0], ['2026-11-02', 5, 4, 1], ['2026-11-03', 0, 0, 0]]);
  expect(pointsOf([], '2026-11-01', '2026-11-30', 'day')).toEqual([]);
  expect(pointsOf([{ ...used, start: '2026-11-01T00:00:00Z' }], '2026-10-15', '2026-11-30', 'month', Date.parse('2026-11-26T00:00:00Z')).map((p) => p.commit)).toEqual([0, 5]);
});

test('rows of an export say their own currency where currencies mix', () => {
  const product = { product_id: 'p', product_name: 'P', license_id: 'l', overage_checkouts: 1, overage_cost: 5, commit_fee: 10, total_billable: 15 };
  const customer = { crm_account_id: 'A', tenant_id: 't', customer_name: 'T' };
  const base = { vendor_id: 'v', period: { start: '2026-11-01', end: '2026-11-30' } };
  expect(chargesOf({ ...base, total_overage_revenue: 5, currency: 'EUR', customers: [{ ...customer, products: [product] }] })[0]?.currency).toBe('EUR');
  expect(chargesOf({ ...base, total_overage_revenue: null, currency: null, customers: [{ ...customer, products: [{ ...product, currency: 'USD' }] }] })[0]?.currency).toBe('USD');
});

test('a list is read until enough is found, and says whether there is more', async () => {
  const pages: Record<string, { items: number[]; next_cursor: string | null }> = { '': { items: [1, 2], next_cursor: 'a' }, a: { items: [3, 4], next_cursor: 'b' }, b: { items: [5], next_cursor: null } };
  const read = (cursor: string) => Promise.resolve({ data: pages[cursor] ?? { items: [], next_cursor: null }, response: new Response() });
  expect(await walk(read, { enough: 100 })).toEqual({ items: [1, 2, 3, 4, 5], more: false });
  expect(await walk(read, { keep: (n) => n % 2 === 0, enough: 2 })).toEqual({ items: [2, 4], more: true });
});
