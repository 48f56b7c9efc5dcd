import type { Schemas } from '../api/client';
import { formatDay, formatMonth } from '../format';
import type { UsePoint } from './charts';

export type Resolution = 'hour' | 'day' | 'month';
type Point = Schemas['UsagePoint'];

// The API leaves out periods in which nothing happened; a chart has them at 0.

/** When the period after one begins. */
function after(start: Date, by: Resolution): Date {
  const next = new Date(start);
  if (by === 'hour') next.setUTCHours(next.getUTCHours() + 1);
  else if (by === 'day') next.setUTCDate(next.getUTCDate() + 1);
  else next.setUTCMonth(next.getUTCMonth() + 1);
  return next;
}

/** Seats in use at the most in every period of some days, up to now. */
export function pointsOf(series: readonly Point[], from: string, to: string, by: Resolution, now = Date.now()): UsePoint[] {
  if (series.length === 0) return [];
  const known = new Map(series.map((p) => [Date.parse(p.start), p] as const));
  const begin = by === 'month' ? `${from.slice(0, 7)}-01` : from;
  const end = Math.min(now, Date.parse(`${to}T23:59:59Z`));
  const points: UsePoint[] = [];
  for (let at = new Date(`${begin}T00:00:00Z`); at.getTime() <= end; at = after(at, by)) {
    const p = known.get(at.getTime());
    points.push({ at: at.toISOString(), commit: p === undefined ? 0 : p.peak_in_use - p.overage_peak, overage: p?.overage_peak ?? 0, refused: p?.refusals ?? 0 });
  }
  return points;
}

const locale = typeof navigator === 'undefined' ? 'en' : navigator.language;
const hours = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZone: 'UTC' });

/** A period's name, in UTC. */
export function formatPeriod(by: Resolution): (start: string) => string {
  if (by === 'hour') return (start) => `${hours.format(new Date(start))} UTC`;
  return by === 'day' ? formatDay : formatMonth;
}
