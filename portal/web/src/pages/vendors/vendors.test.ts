import { expect, test } from 'vitest';

import { meaningOf, wrongQuantities } from './entitlement';
import { chargesOf } from './overage';

test('quantities are checked as the server does', () => {
  expect(wrongQuantities({ total: 20, commit: 5, overage: 15 })).toBeUndefined();
  expect(wrongQuantities({ total: 20, commit: 20, overage: 0 })).toBeUndefined();
  expect(wrongQuantities({ total: 21, commit: 5, overage: 15 })).toContain('21 is more than 20');
  expect(wrongQuantities({ total: 4, commit: 5, overage: 0 })).toContain('exceed total');
  expect(wrongQuantities({ total: '', commit: 5, overage: 0 })).toBeDefined();
  expect(wrongQuantities({ total: 5, commit: Number.NaN, overage: 0 })).toBeDefined();
  expect(meaningOf({ total: 20, commit: 15, overage: 8 })).toContain('3 overage seats cannot be reached');
});

test('rows of an export say their own currency where currencies mix', () => {
  const product = { product_id: 'p', product_name: 'P', license_id: 'l', overage_checkouts: 1, overage_cost: 5, commit_fee: 10, total_billable: 15 };
  const customer = { crm_account_id: 'A', tenant_id: 't', customer_name: 'T' };
  const base = { vendor_id: 'v', period: { start: '2026-11-01', end: '2026-11-30' } };
  expect(chargesOf({ ...base, total_overage_revenue: 5, currency: 'EUR', customers: [{ ...customer, products: [product] }] })[0]?.currency).toBe('EUR');
  expect(chargesOf({ ...base, total_overage_revenue: null, currency: null, customers: [{ ...customer, products: [{ ...product, currency: 'USD' }] }] })[0]?.currency).toBe('USD');
});
