const locale = typeof navigator === 'undefined' ? 'en' : navigator.language;
const percents = new Intl.NumberFormat(locale, { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 2 });

/** Hundredths of a percent as a percentage: 250 is 2.5%. */
export function formatBasisPoints(points: number): string {
  return percents.format(points / 10_000);
}
