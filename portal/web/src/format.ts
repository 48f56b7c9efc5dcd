// Numbers, money and times in the reader's locale. Sums come from the API:
// nothing here adds amounts.

/** The reader's language, which the page's own need not be. */
export const locale = typeof navigator === 'undefined' ? 'en' : navigator.language;

const counts = new Intl.NumberFormat(locale);
const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
const days = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' });
const months = new Intl.DateTimeFormat(locale, { year: 'numeric', month: 'long', timeZone: 'UTC' });
const clocks = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
const relatives = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'long' });
const currencies = new Map<string, Intl.NumberFormat>();

export function formatCount(n: number): string {
  return counts.format(n);
}

/** A part of 1: 0.23 is 23 %. */
export function formatPercent(part: number): string {
  return percents.format(part);
}

/** An amount as the API has it: with the currency's own decimals. */
export function formatMoney(amount: number, currency: string): string {
  let f = currencies.get(currency);
  if (f === undefined) {
    f = new Intl.NumberFormat(locale, { style: 'currency', currency });
    currencies.set(currency, f);
  }
  return f.format(amount);
}

/** A contract's day, YYYY-MM-DD: a whole day in UTC wherever the reader is. */
export function formatDay(day: string): string {
  return days.format(new Date(`${day.slice(0, 10)}T00:00:00Z`));
}

/** A month, YYYY-MM. */
export function formatMonth(month: string): string {
  return months.format(new Date(`${month.slice(0, 7)}-01T00:00:00Z`));
}

/** A time on the reader's clock. */
export function formatTime(time: string): string {
  return clocks.format(new Date(time));
}

/** The same time in UTC, as logs have it: 2026-11-26 13:05:19 UTC. */
export function formatUTC(time: string): string {
  return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

const steps: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** How long ago, or how soon. */
export function formatRelative(time: string, now: number): string {
  const seconds = Math.round((new Date(time).getTime() - now) / 1000);
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) {
      return relatives.format(Math.trunc(seconds / length), unit);
    }
  }
  return relatives.format(0, 'second');
}

/** A clause of the API, in English whoever reads it, as a sentence of the page. */
export function formatSentence(clause: string): string {
  return clause.slice(0, 1).toUpperCase() + clause.slice(1);
}
