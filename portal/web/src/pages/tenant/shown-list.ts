import type { UseQueryResult } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';

import type { List } from '../../api/hooks';
import type { Problem } from '../../api/problem';

/** Pages of what is here as a whole; which page stands in the URL, as with lists of the API. */
export function useShownList<T>(query: UseQueryResult<unknown, Problem>, items: readonly T[], limit = 25): List<T> {
  const [params, setParams] = useSearchParams();
  const asked = Number(params.get('cursor') ?? 0);
  const start = Number.isInteger(asked) && asked > 0 && asked < items.length ? asked : 0;
  const turnTo = (to: number) => (): void =>
    setParams((old) => {
      const now = new URLSearchParams(old);
      if (to <= 0) now.delete('cursor');
      else now.set('cursor', String(to));
      return now;
    });
  return {
    items: items.slice(start, start + limit),
    pending: query.isPending,
    fetching: query.isFetching,
    error: query.error,
    retry: () => void query.refetch(),
    next: start + limit < items.length ? turnTo(start + limit) : undefined,
    previous: start > 0 ? turnTo(start - limit) : undefined,
    pageNumber: Math.floor(start / limit) + 1,
  };
}
