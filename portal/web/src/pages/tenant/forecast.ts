/** Decimals of a currency, as its amounts are written. */
export function decimalsOf(currency: string): number {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

/** How much of a month (YYYY-MM, UTC) is over: 0 before it, 1 after it. */
export function elapsedPart(month: string, now: number): number {
  const [year = 0, number = 1] = month.split('-').map(Number);
  const start = Date.UTC(year, number - 1, 1);
  const end = Date.UTC(year, number, 1);
  return Math.min(1, Math.max(0, (now - start) / (end - start)));
}

const dayPart = 1 / 31;

/**
 * What a month will cost if overage goes on as so far: the commit fees whole,
 * the overage by a straight line through the time that is over. It is reckoned
 * in minor units. Within the first day there is too little to go by.
 */
export function forecast(total: { commit_fee: number; overage_cost: number; currency: string }, month: string, now: number): number | undefined {
  const part = elapsedPart(month, now);
  if (part < dayPart || part === 1) return undefined;
  const minor = 10 ** decimalsOf(total.currency);
  return (Math.round(total.commit_fee * minor) + Math.round((total.overage_cost * minor) / part)) / minor;
}
