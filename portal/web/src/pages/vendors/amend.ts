import type { Schemas } from '../../api/client';
import { formatDay, formatMoney, formatCount } from '../../format';
import { isNumber } from '../../numbers';
import { vendorText as text } from '../../text/en-vendors';
import type { License } from './data';
import type { Terms } from './QuantityFields';

type Change = Schemas['LicenseChange'];
export type Cycle = Schemas['BillingCycle'];

/** What can be amended, as the form has it. */
export interface Amended extends Terms {
  version: string;
  start: string;
  end: string;
  renew: boolean;
  cycle: Cycle;
}

const names: readonly (keyof Amended)[] = ['total', 'commit', 'overage', 'fee', 'use', 'version', 'start', 'end', 'renew', 'cycle'];

export function amendedOf({ entitlement: e, product, contract: c }: License): Amended {
  return {
    total: e.total_licenses, commit: e.commit_qty, overage: e.max_overage,
    fee: e.pricing.commit_fee_monthly, use: e.pricing.overage_per_use, currency: e.pricing.currency,
    version: product.version ?? '', start: c.start_date ?? '', end: c.end_date ?? '', renew: c.auto_renew, cycle: c.billing_cycle,
  };
}

export function changedIn(form: Amended, was: Amended): (keyof Amended)[] {
  return names.filter((name) => form[name] !== was[name]);
}

/** The body that changes what differs, and nothing else. */
export function changeOf(form: Amended, was: Amended): Change {
  const changed = new Set(changedIn(form, was));
  const pricing = {
    ...(changed.has('fee') && { commit_fee_monthly: Number(form.fee) }),
    ...(changed.has('use') && { overage_per_use: Number(form.use) }),
  };
  const entitlement = {
    ...(changed.has('total') && { total_licenses: Number(form.total) }),
    ...(changed.has('commit') && { commit_qty: Number(form.commit) }),
    ...(changed.has('overage') && { max_overage: Number(form.overage) }),
    ...(some(pricing) && { pricing }),
  };
  const contract = {
    ...(changed.has('start') && { start_date: form.start }),
    ...(changed.has('end') && { end_date: form.end }),
    ...(changed.has('renew') && { auto_renew: form.renew }),
    ...(changed.has('cycle') && { billing_cycle: form.cycle }),
  };
  return {
    ...(changed.has('version') && { product: { version: form.version } }),
    ...(some(entitlement) && { entitlement }),
    ...(some(contract) && { contract }),
  };
}

function some(part: object): boolean {
  return Object.keys(part).length > 0;
}

/** The form with what others changed meanwhile, where it was not changed here. */
export function mergeInto(form: Amended, was: Amended, now: Amended): Amended {
  const mine = changedIn(form, was);
  return { ...now, ...Object.fromEntries(mine.map((name) => [name, form[name]])) };
}

/** A field and its value, as they are read. */
export function describe(name: keyof Amended, { [name]: value, currency }: Amended): { label: string; value: string } {
  const label = text.generate[name];
  if (typeof value === 'boolean') return { label, value: value ? text.license.yes : text.license.no };
  if (typeof value === 'number') return { label, value: name === 'fee' || name === 'use' ? formatMoney(value, currency) : formatCount(value) };
  if (name === 'cycle') return { label: text.generate.cycle, value: text.generate.cycles[value as Cycle] };
  if (value === '') return { label, value: name === 'version' ? text.license.anyVersion : '–' };
  return { label, value: name === 'start' || name === 'end' ? formatDay(value) : value };
}

/** What a person should know before so few seats are left, or undefined. */
export function consequenceOf({ total, commit, overage }: Terms, inUse: number): string | undefined {
  if (!isNumber(total) || !isNumber(commit) || !isNumber(overage)) return undefined;
  if (total === 0) return text.license.amendNone(formatCount(inUse));
  return total < inUse ? text.license.amendFewer(formatCount(total), formatCount(inUse)) : undefined;
}
