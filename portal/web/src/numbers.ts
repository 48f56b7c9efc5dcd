import { locale } from './format';
import { text } from './text/en';

/** What was typed: a number, nothing, or NaN for what is no number of the locale. */
export type Typed = number | '';

export interface NumberRule {
  /** How many there may be; 0: whole numbers. */
  decimals: number;
  least?: number | undefined;
  most?: number | undefined;
}

/** How a locale writes numbers. */
interface Notation {
  decimal: string;
  group: string;
  digits: readonly string[];
  grouped: Intl.NumberFormat;
}

function notationOf(of: string): Notation {
  // "always": Polish and Spanish write 1000 without a separator, and read it with one.
  const grouped = new Intl.NumberFormat(of, { useGrouping: 'always', maximumFractionDigits: 0 });
  const parts = new Intl.NumberFormat(of, { useGrouping: 'always' }).formatToParts(1_234_567.8);
  const digits = [...new Intl.NumberFormat(of, { useGrouping: false }).format(9_876_543_210)].toReversed();
  return { decimal: parts.find((p) => p.type === 'decimal')?.value ?? '.', group: parts.find((p) => p.type === 'group')?.value ?? ',', digits, grouped };
}

/** In ASCII digits, with any space for a space and any apostrophe for one: keyboards have one of each. */
function plain(s: string, digits: readonly string[]): string {
  const ascii = [...s].map((c) => (digits.includes(c) ? String(digits.indexOf(c)) : c)).join('');
  return ascii.replaceAll(/\s/g, ' ').replaceAll('’', "'");
}

function wrong(what: string): { value: number; wrong: string } {
  return { value: Number.NaN, wrong: what };
}

/**
 * Reads a number as a locale writes it. Thousands may be separated or not, but
 * where they are, then at the right places: 12,5 is no number of en-US, whose
 * 12.5 is none of de-DE.
 */
export function parseNumber(typed: string, rule: NumberRule, of: string = locale): { value: Typed; wrong?: string } {
  const { decimal, group, digits, grouped } = notationOf(of);
  const asked = plain(typed, digits).trim();
  if (asked === '') return { value: '' };
  if (/^[-−–]/.test(asked)) return wrong(text.number.negative);
  const [whole = '', fraction = '', ...more] = asked.split(decimal);
  const bare = whole.replaceAll(plain(group, digits), '');
  const known = more.length === 0 && /^\d+$/.test(bare + fraction);
  if (!known || (bare !== whole && plain(grouped.format(BigInt(bare)), digits) !== whole)) {
    return wrong(text.number.none(formatNumber(rule.decimals === 0 ? 1_234 : 1_234.5, rule.decimals, of)));
  }
  if (fraction.length > rule.decimals) return wrong(rule.decimals === 0 ? text.number.whole : text.number.decimals(rule.decimals));
  const value = Number(`${bare}.${fraction}0`);
  const { least, most = Number.MAX_SAFE_INTEGER } = rule;
  if (least !== undefined && value < least) return wrong(text.number.least(formatNumber(least, 0, of)));
  if (value > most) return wrong(text.number.most(formatNumber(most, 0, of)));
  return { value };
}

/** A number as it is typed into a field: never rounded. */
export function formatNumber(value: number, decimals: number, of: string = locale): string {
  return new Intl.NumberFormat(of, { minimumFractionDigits: decimals, maximumFractionDigits: 20 }).format(value);
}

/** How many decimals a currency has; the server knows which currencies there are. */
export function decimalsOf(currency: string): number {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}

/** Whether a number can be sent: nothing, and what is none, cannot. */
export function isNumber(value: Typed): value is number {
  return value !== '' && Number.isFinite(value);
}

/** Whether an amount has no more decimals than its currency. */
export function fitsCurrency(amount: Typed, currency: string): boolean {
  return isNumber(amount) && Number(amount.toFixed(decimalsOf(currency))) === amount;
}
