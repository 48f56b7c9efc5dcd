import { expect, test } from 'vitest';

import { changeOf, describe, mergeInto, type Amended } from './amend';

const was: Amended = { total: 20, commit: 5, overage: 15, fee: 5_000, use: 500, currency: 'EUR', version: '>=8.0.0', start: '2026-01-01', end: '2026-12-31', renew: true, cycle: 'monthly' };

test('an amendment has what was changed, and nothing else', () => {
  expect(changeOf(was, was)).toEqual({});
  expect(changeOf({ ...was, use: 450 }, was)).toEqual({ entitlement: { pricing: { overage_per_use: 450 } } });
  expect(changeOf({ ...was, total: 18, version: '' }, was)).toEqual({ entitlement: { total_licenses: 18 }, product: { version: '' } });
  expect(changeOf({ ...was, renew: false, end: '2027-12-31' }, was)).toEqual({ contract: { auto_renew: false, end_date: '2027-12-31' } });
});

test('what somebody else changed meanwhile goes into the form, and is not sent back', () => {
  const now: Amended = { ...was, total: 19, fee: 6_000 };
  const merged = mergeInto({ ...was, total: 18, cycle: 'yearly' }, was, now);
  expect(merged).toEqual({ ...was, total: 18, fee: 6_000, cycle: 'yearly' });
  expect(changeOf(merged, now)).toEqual({ entitlement: { total_licenses: 18 }, contract: { billing_cycle: 'yearly' } });
});

test('changes are said as they are read elsewhere', () => {
  expect(describe('fee', was)).toEqual({ label: 'Commit fee per month', value: '€5,000.00' });
  expect(describe('end', was)).toEqual({ label: 'Last day', value: 'Dec 31, 2026' });
  expect(describe('cycle', was)).toEqual({ label: 'Billing', value: 'Monthly' });
  expect(describe('renew', was).value).toBe('Yes');
  expect(describe('version', { ...was, version: '' }).value).toBe('Any');
});
