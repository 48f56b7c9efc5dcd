import { apexText } from '../../text/en-apex';

/** A plan as the price list names it. */
export function planName(plan: string): string {
  return apexText.plans.names[plan] ?? plan;
}
