import type { UseQueryResult } from '@tanstack/react-query';

import { api, type Schemas } from '../../api/client';
import { useApi } from '../../api/hooks';
import type { Answer, Problem } from '../../api/problem';

export type Export = Schemas['OverageExport'];

/** What an export is asked with. */
export interface ExportQuery {
  start_date: string;
  end_date: string;
  customer_crm_id?: string;
}

export function exportQuery(from: string, to: string, crm: string | undefined): ExportQuery {
  return { start_date: from, end_date: to, ...(crm === undefined ? {} : { customer_crm_id: crm }) };
}

export function useOverage(query: ExportQuery): UseQueryResult<Export, Problem> {
  return useApi<Export>(['overage', query], (signal) => api.GET('/api/v1/billing/overage', { params: { query }, signal }) as Promise<Answer<Export>>);
}

/** One license of one customer in an export. */
export interface Charge {
  crm: string | null;
  tenant: string;
  customer: string;
  product: string;
  license: string;
  uses: number;
  cost: number;
  fee: number;
  total: number;
  currency: string | null;
}

/** An export's rows. Where currencies mix each product says its own. */
export function chargesOf(e: Export): Charge[] {
  return e.customers.flatMap((c) =>
    c.products.map((p) => ({
      crm: c.crm_account_id, tenant: c.tenant_id, customer: c.customer_name, product: p.product_name, license: p.license_id,
      uses: p.overage_checkouts, cost: p.overage_cost, fee: p.commit_fee, total: p.total_billable, currency: p.currency ?? e.currency,
    })),
  );
}
