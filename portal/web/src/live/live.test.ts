import { QueryClient } from '@tanstack/react-query';
import { expect, test, vi } from 'vitest';

import { queryClient } from '../api/hooks';
import { onEvent, putPool } from './live';

const license = (id: string) => ({ license_id: id, product_name: 'CAD', in_use: 0, available: 20 });

test('a pool is put into lists and pages of its license alone', () => {
  const client = new QueryClient();
  client.setQueryData(['licenses', { cursor: '' }], { items: [license('a'), license('b')], next_cursor: null });
  client.setQueryData(['license', 'a'], license('a'));
  putPool(client, { license_id: 'a', total_licenses: 20, in_use: 6, commit_in_use: 5, overage_in_use: 1, available: 14 });
  expect(client.getQueryData(['licenses', { cursor: '' }])).toMatchObject({ items: [{ license_id: 'a', in_use: 6, available: 14, product_name: 'CAD' }, license('b')] });
  expect(client.getQueryData(['license', 'a'])).toMatchObject({ in_use: 6, product_name: 'CAD' });
});

test('where events keep coming, lists are read ever more seldom', () => {
  vi.useFakeTimers();
  const read = vi.spyOn(queryClient, 'invalidateQueries').mockResolvedValue();
  const granted = { id: '1-1', type: 'lease.granted', data: '{"license_id":"a","overage_count":0}' };
  onEvent(granted);
  vi.advanceTimersByTime(500);
  expect(read.mock.calls).toEqual([[{ queryKey: ['leases'] }]]);
  for (let seconds = 0; seconds < 60; seconds += 0.1) {
    onEvent(granted);
    vi.advanceTimersByTime(100);
  }
  expect(read.mock.calls.length).toBeGreaterThan(5);
  expect(read.mock.calls.length).toBeLessThan(12);
  vi.advanceTimersByTime(60_000);
  read.mockClear();
  onEvent(granted);
  vi.advanceTimersByTime(500);
  expect(read).toHaveBeenCalledTimes(1);
  vi.restoreAllMocks();
  vi.useRealTimers();
});
