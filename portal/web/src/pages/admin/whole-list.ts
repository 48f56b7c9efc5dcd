import type { UseQueryResult } from '@tanstack/react-query';

import type { List } from '../../api/hooks';
import type { Problem } from '../../api/problem';

/** A list that a reply holds as a whole, for a table. */
export function wholeList<R, T>(query: UseQueryResult<R, Problem>, items: (reply: R) => readonly T[]): List<T> {
  return {
    items: query.data === undefined ? [] : [...items(query.data)],
    pending: query.isPending,
    fetching: query.isFetching,
    error: query.error,
    retry: () => void query.refetch(),
    next: undefined,
    previous: undefined,
    pageNumber: 1,
  };
}
