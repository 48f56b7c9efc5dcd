import type { Costs } from './data';
import { decimalsOf } from './forecast';

const header = ['period', 'vendor_id', 'vendor_name', 'product_id', 'product_name', 'license_id', 'commit_qty', 'commit_fee', 'overage_checkouts', 'overage_cost', 'total', 'currency'];

// A name that begins like a formula stays a name in a spreadsheet.
function field(value: string | number): string {
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A month's costs as a table: a row for each license, amounts with the currency's own decimals. */
export function costsCSV(costs: Costs): string {
  const rows = costs.vendors.flatMap((v) =>
    v.products.map((p) => {
      const amount = (n: number): string => n.toFixed(decimalsOf(p.currency));
      return [
        ...[costs.period, v.vendor_id, v.vendor_name, p.product_id, p.product_name, p.license_id, p.commit_qty].map(field),
        amount(p.commit_fee), String(p.overage_checkouts), amount(p.overage_cost), amount(p.total), p.currency,
      ];
    }),
  );
  return [header, ...rows].map((r) => `${r.join(',')}\r\n`).join('');
}
