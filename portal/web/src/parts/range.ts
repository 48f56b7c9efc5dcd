import { addDays, dayOf, firstDay, monthOf } from './period';
import type { Resolution } from './series';
import { useFilters } from './UrlFilters';

export interface Range {
  from: string;
  to: string;
  by: Resolution;
  /** The first day that was asked for, where it is after the last. */
  backwards?: string;
}

const names = ['from', 'to', 'by'] as const;
/** What one reply of the API covers. */
const mostHours = 31; // days of hours
const mostDays = 366;
const mostMonths = 60;
const defaultDays = 30;

function valid(text: string | undefined): text is string {
  return text !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** How many days, both ends included. */
export function daysIn(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1;
}

/** Whether one reply covers some days by a resolution. */
export function fits(days: number, by: Resolution): boolean {
  return by === 'month' || days <= (by === 'hour' ? mostHours : mostDays);
}

/** The days and the resolution that a URL asks for, by default the last thirty. What is too much for one reply is read more coarsely. */
export function fitRange(asked: { from?: string; to?: string; by?: string }, now = Date.now()): Range {
  const to = valid(asked.to) ? asked.to : dayOf(now);
  const earliest = firstDay(monthOf(to, 1 - mostMonths));
  const wanted = valid(asked.from) && asked.from <= to ? asked.from : addDays(to, 1 - defaultDays);
  const from = wanted < earliest ? earliest : wanted;
  const by: Resolution = asked.by === 'hour' || asked.by === 'month' ? asked.by : 'day';
  const days = daysIn(from, to);
  const backwards = valid(asked.from) && asked.from > to ? { backwards: asked.from } : {};
  return { from, to, by: fits(days, by) ? by : fits(days, 'day') ? 'day' : 'month', ...backwards };
}

/** The range that the URL of the page asks for. */
export function useRange(): Range {
  return fitRange(useFilters(names));
}
