import { useQuery, type UseQueryResult } from '@tanstack/react-query';

import { site } from '../site';
import { api, operatorToken, type Schemas } from './client';
import { meKey, retryWhereItHelps } from './hooks';
import { isProblem, unwrap, type Problem } from './problem';

/** Names of what a role may do, as GET /api/v1/me lists them. */
export type Permission = string;

export interface Session {
  /** Missing on the admin address: an operator's token has no user. */
  user: Schemas['User'] | undefined;
  companyName: string;
  permissions: ReadonlySet<Permission>;
  /** An operator may do everything that is shown. */
  operator: boolean;
}

// What GET /api/v1/me says besides, once the server has it.
type Me = Schemas['Me'] & { company_name?: string; permissions?: string[] };

function ofRole(role: Schemas['Role'] | undefined): string[] {
  const all = ['own_account', 'view_licenses', 'view_leases', 'view_events'];
  const costs = ['view_costs', 'manage_billing'];
  const admins = ['release_lease', 'view_users', 'manage_users', 'view_keys', 'manage_keys', 'view_audit', 'view_settings', 'manage_settings', 'manage_licenses'];
  switch (role) {
    case 'owner':
      return [...all, ...costs, ...admins, 'manage_owners', 'delete_tenant'];
    case 'admin':
      return [...all, ...costs, ...admins];
    case 'billing':
      return [...all, ...costs];
    default:
      return all;
  }
}

async function readSession(signal: AbortSignal): Promise<Session | null> {
  try {
    if (site.name === 'admin') {
      if (operatorToken.get() === null) return null;
      await unwrap(api.GET('/v1/cluster', { signal }));
      return { user: undefined, companyName: '', permissions: new Set(), operator: true };
    }
    const me: Me = await unwrap(api.GET('/api/v1/me', { signal }));
    return {
      user: me.user,
      companyName: me.company_name ?? '',
      permissions: new Set(me.permissions ?? ofRole(me.user?.role)),
      operator: false,
    };
  } catch (error) {
    if (isProblem(error) && error.status === 401) return null;
    throw error;
  }
}

/** Who is logged in; null: nobody. */
export function useSession(): UseQueryResult<Session | null, Problem> {
  return useQuery<Session | null, Problem>({
    queryKey: meKey,
    queryFn: ({ signal }) => readSession(signal),
    staleTime: 60_000,
    retry: retryWhereItHelps,
  });
}

export function may(session: Session | null | undefined, permission: Permission | undefined): boolean {
  if (session === null || session === undefined) return false;
  return permission === undefined || session.operator || session.permissions.has(permission);
}

/** Whether who is logged in may do something. */
export function useMay(permission: Permission | undefined): boolean {
  return may(useSession().data, permission);
}
