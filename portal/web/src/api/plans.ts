import type { UseQueryResult } from '@tanstack/react-query';

import { api, type Schemas } from './client';
import { useApi } from './hooks';
import type { Problem } from './problem';

export type Plan = Schemas['PlanPage']['items'][number];

/** The plans, the smallest first. They change with a release, not in between. */
export function usePlans(): UseQueryResult<Schemas['PlanPage'], Problem> {
  return useApi(['plans'], (signal) => api.GET('/api/v1/plans', { signal }), { staleTime: Infinity });
}
