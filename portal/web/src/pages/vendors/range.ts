import { useFilters } from '../../parts/UrlFilters';
import { addDays, today } from './period';
import type { Resolution } from './series';

export interface Range {
  from: string;
  to: string;
  by: Resolution;
}

export const rangeNames = ['from', 'to', 'by'] as const;
export const mostDays: Readonly<Record<Resolution, number>> = { hour: 31, day: 366, month: 1800 };

const day = /^\d{4}-\d{2}-\d{2}$/;

/** How many days, both ends included. */
export function daysIn(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1;
}

/** The days and resolution that the URL says; by default the last thirty days. */
export function useRange(): Range {
  const set = useFilters(rangeNames);
  const to = set.to !== undefined && day.test(set.to) ? set.to : today();
  const from = set.from !== undefined && day.test(set.from) && set.from <= to ? set.from : addDays(to, -29);
  const asked: Resolution = set.by === 'hour' || set.by === 'month' ? set.by : 'day';
  // What the server would refuse is asked more coarsely.
  const fits = daysIn(from, to) <= mostDays[asked];
  return { from, to, by: fits ? asked : daysIn(from, to) <= mostDays.day ? 'day' : 'month' };
}
