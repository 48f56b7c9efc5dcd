import type { UseQueryResult } from '@tanstack/react-query';

import { site } from '../site';
import { api, type Schemas } from './client';
import { useApi } from './hooks';
import type { Problem } from './problem';

/** How people may log in on this host. */
export function useLoginWays(): UseQueryResult<Schemas['LoginWays'], Problem> {
  return useApi(['login-ways'], (signal) => api.GET('/api/v1/login', { signal }), {
    enabled: site.name === 'tenant' || site.name === 'vendors',
  });
}
