import { formatCount } from '../../format';
import { isNumber, type Typed } from '../../numbers';
import { vendorText as text } from '../../text/en-vendors';

export interface Quantities {
  total: Typed;
  commit: Typed;
  overage: Typed;
}

/** Why the server would refuse quantities (contract: 0 ≤ C ≤ T ≤ C + M), or undefined. */
export function wrongQuantities({ total, commit, overage }: Quantities): string | undefined {
  if (!isNumber(total) || !isNumber(commit) || !isNumber(overage)) return text.generate.required;
  if (commit > total) return text.generate.commitTooMany;
  if (total > commit + overage) return text.generate.tooMany(formatCount(total), formatCount(commit + overage));
  return undefined;
}

/** What quantities mean: seats, and how many of them are overage. */
export function meaningOf({ total, commit, overage }: Quantities): string {
  if (!isNumber(total) || !isNumber(commit) || !isNumber(overage)) return '';
  const reached = Math.min(overage, total - commit);
  const meaning = text.generate.fits(formatCount(total), formatCount(commit), formatCount(reached));
  return reached < overage ? `${meaning} ${text.generate.unreachable(formatCount(overage - reached))}` : meaning;
}
