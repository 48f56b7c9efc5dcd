import { useQuery, type UseQueryResult } from '@tanstack/react-query';

import { site } from '../site';
import { api, operatorToken, type Schemas } from './client';
import { meKey, retryWhereItHelps } from './hooks';
import { isProblem, unwrap, type Problem } from './problem';
import { sessionRead } from './tabs';

/** Something that a role may allow. */
export type Permission = Schemas['Permission'];

export interface Session {
  /** Missing on the admin address: an operator's token has no user. */
  user: Schemas['User'] | undefined;
  /** On the vendors' hosts alone. */
  vendorId: string | undefined;
  companyName: string;
  /** The operator has suspended the tenant. */
  suspended: boolean;
  /** Of a vendor that has set any. */
  branding?: Schemas['Branding'];
  permissions: ReadonlySet<Permission>;
  /** An operator may do everything that is shown. */
  operator: boolean;
}

async function readSession(signal: AbortSignal): Promise<Session | null> {
  try {
    if (site.name === 'admin') {
      if (operatorToken.get() === null) return null;
      await unwrap(api.GET('/v1/cluster', { signal }));
      return { user: undefined, vendorId: undefined, companyName: '', suspended: false, permissions: new Set(), operator: true };
    }
    const me = await unwrap(api.GET('/api/v1/me', { signal }));
    if (me.user !== undefined) sessionRead(me.user.id);
    return {
      user: me.user,
      vendorId: me.vendor_id,
      companyName: me.company_name,
      suspended: me.tenant_status === 'suspended',
      branding: me.branding,
      permissions: new Set(me.permissions),
      operator: false,
    };
  } catch (error) {
    if (isProblem(error) && error.status === 401) {
      if (site.name === 'admin') operatorToken.clear();
      return null;
    }
    throw error;
  }
}

/** The platform's own host and a host of nobody have no users. */
const hasSessions = site.name === 'tenant' || site.name === 'vendors' || site.name === 'admin';

/** Nothing tells a page that its company was suspended, or that a role has changed. */
const meMillis = 30_000;

/** Who is logged in; null: nobody. */
export function useSession(): UseQueryResult<Session | null, Problem> {
  return useQuery<Session | null, Problem>({
    queryKey: meKey,
    queryFn: ({ signal }) => readSession(signal),
    enabled: hasSessions,
    staleTime: 60_000,
    refetchInterval: site.name === 'tenant' ? meMillis : false,
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
