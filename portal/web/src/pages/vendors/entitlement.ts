import { formatCount } from '../../format';
import { vendorText as text } from '../../text/en-vendors';

export interface Quantities {
  total: number | '';
  commit: number | '';
  overage: number | '';
}

/** Why the server would refuse quantities (contract: 0 ≤ C ≤ T ≤ C + M), or undefined. */
export function wrongQuantities({ total, commit, overage }: Quantities): string | undefined {
  if (total === '' || commit === '' || overage === '') return text.generate.required;
  if (commit > total) return text.generate.commitTooMany;
  if (total > commit + overage) return text.generate.tooMany(formatCount(total), formatCount(commit + overage));
  return undefined;
}

/** What quantities mean: seats, and how many of them are overage. */
export function meaningOf({ total, commit, overage }: Quantities): string {
  if (total === '' || commit === '' || overage === '') return '';
  const reached = Math.min(overage, total - commit);
  const meaning = text.generate.fits(formatCount(total), formatCount(commit), formatCount(reached));
  return reached < overage ? `${meaning} ${text.generate.unreachable(formatCount(overage - reached))}` : meaning;
}

/** How many decimals a currency has; the server knows which currencies there are. */
export function decimalsOf(currency: string): number {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}
