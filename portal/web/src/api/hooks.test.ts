import { expect, test } from 'vitest';

import { sameSubject } from './hooks';

test('old rows stay for another page or filter, and never for another license', () => {
  const page = { cursor: '', limit: 50 };
  expect(sameSubject(['leases', 'lic-a', page], ['leases', 'lic-a'])).toBe(true);
  expect(sameSubject(['audit', { user: 'alice' }, page], ['audit', { user: 'bob' }])).toBe(true);
  expect(sameSubject(['leases', 'lic-a', page], ['leases', 'lic-b'])).toBe(false);
  expect(sameSubject(undefined, ['leases'])).toBe(false);
});
