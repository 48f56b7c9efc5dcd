import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useMemo } from 'react';

import { api, type Schemas } from '../../api/client';
import { useApi, type Page } from '../../api/hooks';
import type { Answer, Problem } from '../../api/problem';
import { useMay } from '../../api/session';
import { walk } from '../../api/walk';
import { month } from '../../parts/period';

// What several pages of a tenant read. On a tenant's host licenses and settings
// have the tenant's form, which the API describes beside the vendor's.

export type License = Schemas['License'];
export type LicenseStatus = Schemas['LicenseStatus'];
export type Costs = Schemas['Costs'];
export type ProductCost = Costs['vendors'][number]['products'][number];
export type Settings = Schemas['TenantSettings'];
export type Cap = Settings['overage']['caps'][number];
export type Key = Schemas['Key'];

const pageLimit = 100;
const mostLicenses = 2_000;
const mostKeys = 1_000;

/** All licenses of the tenant; `more` where there are more than 2,000. */
export interface AllLicenses {
  items: License[];
  more: boolean;
}

// Pools move by events; a license that is new or amended has none.
const licensesMillis = 30_000;

export function useLicenses(): UseQueryResult<AllLicenses, Problem> {
  return useQuery<AllLicenses, Problem>({
    queryKey: ['licenses', 'all'],
    queryFn: ({ signal }) => walk((cursor) => api.GET('/api/v1/licenses', { params: { query: { limit: pageLimit, cursor } }, signal }) as Promise<Answer<Page<License>>>, { enough: mostLicenses }),
    refetchInterval: licensesMillis,
  });
}

export function useLicense(id: string): UseQueryResult<License, Problem> {
  return useApi<License>(['license', id], (signal) => api.GET('/api/v1/licenses/{id}', { params: { path: { id } }, signal }) as Promise<Answer<License>>, { refetchInterval: licensesMillis });
}

/** A month's costs, for those who may see them. */
export function useCosts(period: string): UseQueryResult<Costs, Problem> {
  const sees = useMay('view_costs');
  return useApi<Costs>(['costs', period], (signal) => api.GET('/api/v1/costs', { params: { query: { period } }, signal }), { enabled: sees });
}

export function useSettings(): UseQueryResult<Settings, Problem> {
  const sees = useMay('view_settings');
  return useApi<Settings>(['settings'], (signal) => api.GET('/api/v1/settings', { signal }) as Promise<Answer<Settings>>, { enabled: sees });
}

/** All keys of the tenant, for choices and names: a thousand at most. */
export function useAllKeys(): UseQueryResult<Key[], Problem> {
  const sees = useMay('view_keys');
  return useQuery<Key[], Problem>({
    queryKey: ['keys', 'all'],
    queryFn: async ({ signal }) => (await walk((cursor) => api.GET('/api/v1/keys', { params: { query: { limit: pageLimit, cursor } }, signal }), { enough: mostKeys })).items,
    enabled: sees,
  });
}

/** A license's costs of the running month, by its id; empty for those who may not see costs. */
export function useCostsByLicense(): { costs: Costs | undefined; of: ReadonlyMap<string, ProductCost> } {
  const { data } = useCosts(month());
  const of = useMemo(() => new Map((data?.vendors ?? []).flatMap((v) => v.products.map((p) => [p.license_id, p] as const))), [data]);
  return { costs: data, of };
}

/** Names of vendors, as far as who is logged in may know them. */
export function useVendorName(): (vendorId: string) => string {
  const { data } = useCosts(month());
  return useMemo(() => {
    const names = new Map((data?.vendors ?? []).map((v) => [v.vendor_id, v.vendor_name] as const));
    return (id) => names.get(id) || id;
  }, [data]);
}

/** Costs count overage uses as well; a sum of counts is exact. */
export function overageCheckouts(costs: Costs): number {
  return costs.vendors.reduce((sum, v) => sum + v.products.reduce((n, p) => n + p.overage_checkouts, 0), 0);
}

/** What a cap is about: a license by its product, a key by its application. */
export function useCapName(): (cap: Cap) => string {
  const { data: licenses } = useLicenses();
  const { data: keys } = useAllKeys();
  return useMemo(() => {
    const products = new Map((licenses?.items ?? []).map((l) => [l.license_id, l.product_name || l.product_id] as const));
    const apps = new Map((keys ?? []).map((k) => [k.key_id, k.app_name] as const));
    return ({ license_id: license, key_id: key }) => (license !== undefined ? (products.get(license) ?? license) : (apps.get(key ?? '') ?? key ?? ''));
  }, [licenses, keys]);
}
