import { expect, test } from 'vitest';

import { addDays, firstDay, lastDay, monthOf } from './period';
import { daysIn, fitRange } from './range';
import { pointsOf } from './series';

test('days and months are whole ones in UTC', () => {
  expect(addDays('2026-03-28', 2)).toBe('2026-03-30'); // clocks change between
  expect([firstDay('2028-02'), lastDay('2028-02'), lastDay('2026-12')]).toEqual(['2028-02-01', '2028-02-29', '2026-12-31']);
  expect([monthOf('2026-01-31', -1), monthOf('2026-12-01', 1)]).toEqual(['2025-12', '2027-01']);
  expect(daysIn('2026-11-01', '2026-11-30')).toBe(30);
});

test('a chart has the periods that the API leaves out', () => {
  const used = { start: '2026-11-02T00:00:00Z', checkouts: 9, overage_checkouts: 4, overage_uses: 4, refusals: 1, refusals_by_code: {}, peak_in_use: 9, overage_peak: 4, seat_hours: 1, unique_users: 9 };
  const points = pointsOf([used], '2026-11-01', '2026-11-30', 'day', Date.parse('2026-11-03T12:00:00Z'));
  expect(points.map((p) => [p.at.slice(0, 10), p.commit, p.overage, p.refused])).toEqual([['2026-11-01', 0, 0, 0], ['2026-11-02', 5, 4, 1], ['2026-11-03', 0, 0, 0]]);
  expect(pointsOf([], '2026-11-01', '2026-11-30', 'day')).toEqual([]);
  expect(pointsOf([{ ...used, start: '2026-11-01T00:00:00Z' }], '2026-10-15', '2026-11-30', 'month', Date.parse('2026-11-26T00:00:00Z')).map((p) => p.commit)).toEqual([0, 5]);
});

test('a range is thirty days where the URL says nothing, and never more than one reply covers', () => {
  const now = Date.parse('2026-11-16T00:00:00Z');
  expect(fitRange({}, now)).toEqual({ from: '2026-10-18', to: '2026-11-16', by: 'day' });
  expect(fitRange({ from: 'nonsense', to: '2026-02-30x' }, now)).toEqual({ from: '2026-10-18', to: '2026-11-16', by: 'day' });
  expect(fitRange({ from: '2026-11-17', to: '2026-11-16' }, now)).toEqual({ from: '2026-10-18', to: '2026-11-16', by: 'day', backwards: '2026-11-17' });
  expect(fitRange({ from: '2026-10-17', to: '2026-11-16', by: 'hour' }, now).by).toBe('hour');
  expect(fitRange({ from: '2026-10-16', to: '2026-11-16', by: 'hour' }, now).by).toBe('day');
  expect(fitRange({ from: '2025-11-15', to: '2026-11-16', by: 'hour' }, now).by).toBe('month');
  expect(fitRange({ from: '2000-01-01', to: '2026-11-16' }, now)).toEqual({ from: '2021-12-01', to: '2026-11-16', by: 'month' });
});
