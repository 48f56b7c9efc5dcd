import { expect, test } from 'vitest';

import type { Schemas } from '../api/client';
import { activityOf, merge } from './activity';
import type { Activity } from './live';

const record: Schemas['Audit'] = {
  sequence: 42, timestamp: '2026-11-26T02:01:05.71Z', tenant_id: 'mercedes', action: 'checkout', result: 'success', api_key_id: 'k', license_id: 'l', product: 'cad',
  lease_id: 'lease-1', user: 'alice', hostname: '', ip_address: '', fingerprint: '', lib_version: '', count: 1, overage_count: 1, actor: '',
};

test('a record of the audit log is the event that the stream makes of it', () => {
  expect(activityOf(record)).toEqual({ id: '1795658465710-42', type: 'lease.granted', at: record.timestamp, license_id: 'l', product_id: 'cad', user: 'alice', overage_count: 1 });
  const typeOf = (change: Partial<typeof record>) => {
    const { type, reason } = activityOf({ ...record, ...change }) ?? {};
    return [type, reason];
  };
  expect(typeOf({ action: 'return' })).toEqual(['lease.returned', undefined]);
  expect(typeOf({ action: 'release' })).toEqual(['lease.returned', 'released']);
  expect(typeOf({ action: 'expire' })).toEqual(['lease.expired', undefined]);
  expect(typeOf({ result: 'overage_max_exceeded' })).toEqual(['checkout.denied', 'overage_max_exceeded']);
  for (const other of [{ action: 'return', result: 'lease_expired' }, { action: 'login' }, { action: 'key.generate' }]) expect(typeOf(other)).toEqual([undefined, undefined]);
});

function at(sequence: number): Activity {
  return { id: `1-${sequence}`, type: 'lease.granted', at: '', license_id: 'l', product_id: 'p', user: '' };
}

test('what was before and what is told have no record twice, newest first', () => {
  expect(merge([at(11), at(10), at(9)], [at(10), at(9), at(8)]).map((a) => a.id)).toEqual(['1-11', '1-10', '1-9', '1-8']);
  expect(merge([], [at(2), at(1)]).map((a) => a.id)).toEqual(['1-2', '1-1']);
});
