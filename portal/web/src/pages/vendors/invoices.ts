import { useQuery, type UseQueryResult } from '@tanstack/react-query';

import { api } from '../../api/client';
import { useList, type List } from '../../api/hooks';
import type { Problem } from '../../api/problem';
import { walk } from '../../api/walk';
import type { Invoice } from './data';

/** Invoices and credit notes, the newest month first. */
export function useInvoices(period?: string): List<Invoice> {
  const month = period === undefined ? {} : { period };
  return useList<Invoice>(['invoices', month], (page, signal) => api.GET('/api/v1/billing/invoices', { params: { query: { ...page, ...month } }, signal }));
}

const latest = 12;

/** The latest invoices of a customer. */
export function useInvoicesOf(crm: string): UseQueryResult<{ items: Invoice[]; more: boolean }, Problem> {
  return useQuery<{ items: Invoice[]; more: boolean }, Problem>({
    queryKey: ['invoices', { crm }],
    queryFn: ({ signal }) =>
      walk<Invoice>((cursor) => api.GET('/api/v1/billing/invoices', { params: { query: { limit: 100, cursor } }, signal }), { keep: (i) => i.crm_account_id === crm, enough: latest }),
  });
}
