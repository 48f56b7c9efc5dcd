import type { UseQueryResult } from '@tanstack/react-query';

import { useApi, type Page } from './hooks';
import type { Answer, Problem } from './problem';
import type { Schemas } from './client';

export type Plan = Schemas['PlanPage']['items'][number];

async function getPlans(signal: AbortSignal): Promise<Answer<Page<Plan>>> {
  const response = await fetch('/api/v1/plans', { signal, headers: { Accept: 'application/json' } });
  const body: unknown = await response.json();
  return response.ok ? { data: body as Page<Plan>, response } : { error: body, response };
}

/** The plans, the smallest first. They change with a release, not in between. */
export function usePlans(): UseQueryResult<Page<Plan>, Problem> {
  return useApi(['plans'], getPlans, { staleTime: Infinity });
}
