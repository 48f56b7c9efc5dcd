import type { Resolution } from '../vendors/series';

export interface Range {
  from: string;
  to: string;
  by: Resolution;
}

// A reply covers at most 744 hours, 366 days or 60 months.
const mostDays: Readonly<Record<Resolution, number>> = { hour: 31, day: 366, month: 1_800 };
const dayMillis = 86_400_000;
const form = /^\d{4}-\d{2}-\d{2}$/;

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function valid(text: string | undefined): text is string {
  return text !== undefined && form.test(text) && !Number.isNaN(Date.parse(text));
}

/** The days that a URL asks for, by default the last thirty; `cut` where they were too many. */
export function fitRange(asked: { from?: string; to?: string; by?: string }, now = Date.now()): { range: Range; cut: boolean } {
  const by: Resolution = asked.by === 'hour' || asked.by === 'month' ? asked.by : 'day';
  const to = valid(asked.to) ? asked.to : day(now);
  const wanted = by === 'hour' ? 2 : by === 'day' ? 30 : 365;
  const from = valid(asked.from) && asked.from <= to ? asked.from : day(Date.parse(to) - (wanted - 1) * dayMillis);
  const first = day(Date.parse(to) - (mostDays[by] - 1) * dayMillis);
  return { range: { from: from < first ? first : from, to, by }, cut: from < first };
}
