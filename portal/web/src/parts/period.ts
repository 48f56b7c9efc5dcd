// Days and months are whole ones in UTC, as contracts and bills have them.

const dayMillis = 86_400_000;

/** YYYY-MM-DD of a moment. */
export function dayOf(at: Date | number): string {
  return new Date(at).toISOString().slice(0, 10);
}

export function today(): string {
  return dayOf(Date.now());
}

export function addDays(day: string, days: number): string {
  return dayOf(Date.parse(`${day}T00:00:00Z`) + days * dayMillis);
}

/** YYYY-MM of some months before or after a day's. */
export function monthOf(day: string, offset = 0): string {
  return dayOf(Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)) - 1 + offset, 1)).slice(0, 7);
}

/** YYYY-MM of now, or of some months before or after. */
export function month(offset = 0): string {
  return monthOf(today(), offset);
}

export function firstDay(of: string): string {
  return `${of}-01`;
}

export function lastDay(of: string): string {
  return dayOf(Date.UTC(Number(of.slice(0, 4)), Number(of.slice(5, 7)), 0));
}

/** The months before and including the running one, the newest first. */
export function lastMonths(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => month(from - i));
}
