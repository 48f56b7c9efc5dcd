import { useQuery, type UseQueryResult } from '@tanstack/react-query';

import { site } from '../site';

/** How people may log in on this host, as GET /api/v1/login says. */
export interface LoginWays {
  tenant_id?: string;
  company_name?: string;
  password: boolean;
  sso: { name: string } | null;
}

const byPassword: LoginWays = { password: true, sso: null };

export function useLoginWays(): UseQueryResult<LoginWays> {
  return useQuery({
    queryKey: ['login-ways'],
    enabled: site.name === 'tenant' || site.name === 'vendors',
    queryFn: async ({ signal }) => {
      const response = await fetch('/api/v1/login', { signal, headers: { Accept: 'application/json' } });
      return response.ok ? ((await response.json()) as LoginWays) : byPassword;
    },
  });
}
