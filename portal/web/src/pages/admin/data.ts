import { useQuery, type UseQueryResult } from '@tanstack/react-query';

import { api, type Schemas } from '../../api/client';
import { useApi } from '../../api/hooks';
import { unwrap, type Problem } from '../../api/problem';
import type { operations } from '../../api/schema';

export type Tenant = Schemas['Tenant'];
export type Vendor = Schemas['Vendor'];
export type Outbox = Schemas['Outbox'];

type Reply<O extends 'revenueShare' | 'planFees'> = operations[O]['responses'][200]['content']['application/json'];
/** The platform's share of what a vendor charged in a currency. */
export type Share = Reply<'revenueShare'>['vendors'][number];
/** What a tenant owes for its plan. */
export type Fee = Reply<'planFees'>['items'][number];

const outboxMillis = 10_000;

/** What each license group still has to deliver, and what it gave up. */
export function useOutbox(): UseQueryResult<Outbox, Problem> {
  return useApi(['outbox'], (signal) => api.GET('/v1/outbox', { signal }), { refetchInterval: outboxMillis });
}

export interface TenantCounts {
  /** By group; 0: not placed yet. */
  byGroup: ReadonlyMap<number, number>;
  counted: number;
  /** Whether there are more tenants than were counted. */
  more: boolean;
}

const pageSize = 100;
const maxPages = 20;

/** How many tenants each group keeps. The API lists tenants; up to 2,000 are counted. */
export function useTenantCounts(): UseQueryResult<TenantCounts, Problem> {
  return useQuery<TenantCounts, Problem>({
    queryKey: ['tenants', 'counts'],
    queryFn: ({ signal }) => countTenants(signal),
    staleTime: 60_000,
  });
}

async function countTenants(signal: AbortSignal): Promise<TenantCounts> {
  const byGroup = new Map<number, number>();
  let counted = 0;
  let cursor: string | null = null;
  for (let page = 0; page < maxPages; page++) {
    const query: { limit: number; cursor?: string } = cursor === null ? { limit: pageSize } : { limit: pageSize, cursor };
    // A page names the next one.
    // oxlint-disable-next-line no-await-in-loop
    const { items, next_cursor: next } = await unwrap(api.GET('/v1/tenants', { params: { query }, signal }));
    for (const { group } of items) byGroup.set(group, (byGroup.get(group) ?? 0) + 1);
    counted += items.length;
    cursor = next;
    if (cursor === null) break;
  }
  return { byGroup, counted, more: cursor !== null };
}
