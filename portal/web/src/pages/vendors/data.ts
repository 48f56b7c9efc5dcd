import type { UseQueryResult } from '@tanstack/react-query';

import { api, type Schemas } from '../../api/client';
import { useApi, useList, type List, type Page } from '../../api/hooks';
import type { Answer, Problem } from '../../api/problem';

// What several pages of a vendor read. On the vendors' host licenses and
// settings have the vendor's form, which the API describes beside the tenant's.

export type License = Schemas['VendorLicense'];
export type Customer = Schemas['Customer'];
export type Product = Schemas['Product'];
export type Invoice = Schemas['Invoice'];
export type Settings = Schemas['VendorSettings'];
export type LicenseStatus = Schemas['LicenseStatus'];

export const licenseStatuses: readonly LicenseStatus[] = ['generated', 'waiting_for_tenant', 'provisioned', 'suspended', 'revoked', 'expired'];

export interface LicenseFilter {
  status?: LicenseStatus;
  tenant_id?: string;
  crm_account_id?: string;
  product_id?: string;
}

export function useLicenses(filter: LicenseFilter, limit?: number): List<License> {
  return useList<License>(
    ['licenses', filter],
    (page, signal) => api.GET('/api/v1/licenses', { params: { query: { ...filter, ...page } }, signal }) as Promise<Answer<Page<License>>>,
    limit === undefined ? {} : { limit },
  );
}

export function useLicense(id: string): UseQueryResult<License, Problem> {
  return useApi<License>(['licenses', 'one', id], (signal) => api.GET('/api/v1/licenses/{id}', { params: { path: { id } }, signal }) as Promise<Answer<License>>);
}

/** The catalog, for choices: a hundred products at most. */
export function useProducts(): UseQueryResult<Page<Product>, Problem> {
  return useApi(['products', 'choices'], (signal) => api.GET('/api/v1/products', { params: { query: { limit: 100 } }, signal }), { staleTime: 60_000 });
}

export function useSettings(enabled = true): UseQueryResult<Settings, Problem> {
  return useApi<Settings>(['settings'], (signal) => api.GET('/api/v1/settings', { signal }) as Promise<Answer<Settings>>, { enabled });
}

/** What the portal reads of a customer wherever it is listed. */
export type FoundCustomer = Schemas['FoundCustomer'];

/** Customers by part of a name; without one, the first of all that are linked. */
export function useCustomerChoices(name: string): UseQueryResult<FoundCustomer[], Problem> {
  return useApi<FoundCustomer[]>(['customers', 'choices', name], async (signal) => {
    if (name === '') {
      const { data, ...rest } = await api.GET('/api/v1/customers', { params: { query: { limit: 100 } }, signal });
      return { ...rest, data: data?.items ?? [] };
    }
    const { data, ...rest } = await api.GET('/api/v1/customers/search', { params: { query: { name } }, signal });
    return { ...rest, data: data?.customers ?? [] };
  });
}
