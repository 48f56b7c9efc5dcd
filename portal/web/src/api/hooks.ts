import { notifications } from '@mantine/notifications';
import {
  MutationCache,
  QueryCache,
  QueryClient,
  useMutation,
  useQuery,
  useQueryClient,
  type QueryKey,
  type UseMutationResult,
  type UseQueryResult,
} from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import { useLocation, useNavigate, useSearchParams } from 'react-router';

import { isProblem, unwrap, type Answer, type Problem } from './problem';

// A query's key begins with the name of what is read ("users", "licenses"), so
// that a write or an event can say what is stale by that name alone.

export const meKey = ['me'] as const;

const maxRetries = 3;
/** Who would have to wait longer is told so instead of looking at a skeleton. */
const maxWaitSeconds = 5;

export function retryWhereItHelps(failures: number, error: unknown): boolean {
  return isProblem(error) && error.retryable && error.code !== 'login_locked' && error.retryAfterSeconds <= maxWaitSeconds && failures < maxRetries;
}

function retryDelay(failures: number, error: unknown): number {
  const wait = isProblem(error) ? error.retryAfterSeconds * 1000 : 0;
  return Math.max(wait, Math.min(250 * 2 ** failures, 4_000));
}

/** A session that ended, or a role that changed, is asked for again: it leads to the log-in, or shows what is allowed now. */
function onError(error: unknown): void {
  if (isProblem(error) && (error.status === 401 || error.code === 'forbidden_role')) {
    void queryClient.invalidateQueries({ queryKey: meKey });
  }
}

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (query.queryKey[0] !== meKey[0]) onError(error);
    },
  }),
  mutationCache: new MutationCache({ onError: (error, _v, _c, mutation) => {
    if (mutation.meta?.['open'] !== true) onError(error);
  } }),
  defaultOptions: {
    queries: { staleTime: 10_000, retry: retryWhereItHelps, retryDelay, refetchOnWindowFocus: true },
    mutations: { retry: false },
  },
});

/** Reads something by the API: useApi(['license', id], (signal) => api.GET(…, { signal })). */
export function useApi<T>(
  key: QueryKey,
  call: (signal: AbortSignal) => Promise<Answer<T>>,
  options: { enabled?: boolean; refetchInterval?: number | false; staleTime?: number } = {},
): UseQueryResult<T, Problem> {
  return useQuery<T, Problem>({ queryKey: key, queryFn: ({ signal }) => unwrap(call(signal)), ...options });
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** A list that is read page by page; which page stands in the URL. */
export interface List<T> {
  items: T[];
  pending: boolean;
  fetching: boolean;
  error: Problem | null;
  retry: () => void;
  next: (() => void) | undefined;
  previous: (() => void) | undefined;
  pageNumber: number;
}

const pageParam = 'cursor';

/**
 * Reads a page of a list. Filters belong into the key; a changed filter begins
 * at the first page (UrlFilters takes the cursor out of the URL).
 */
export function useList<T>(
  key: QueryKey,
  call: (page: { cursor?: string; limit: number }, signal: AbortSignal) => Promise<Answer<Page<T>>>,
  { limit = 50, enabled = true }: { limit?: number; enabled?: boolean } = {},
): List<T> {
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const location = useLocation();
  const cursor = params.get(pageParam) ?? '';
  const query = useQuery<Page<T>, Problem>({
    queryKey: [...key, { cursor, limit }],
    queryFn: ({ signal }) => unwrap(call(cursor === '' ? { limit } : { cursor, limit }, signal)),
    placeholderData: (previous, former) => (sameSubject(former?.queryKey, key) ? previous : undefined),
    enabled,
  });
  const pageNumber = pageOf(location.state);
  // What one may no longer read is not shown either.
  const denied = query.error?.status === 401 || query.error?.status === 403;
  const data = denied ? undefined : query.data;
  const next = data?.next_cursor ?? null;
  const { refetch } = query;
  const turnTo = useCallback(
    (to: string | null, page: number) => {
      setParams(
        (old) => {
          const now = new URLSearchParams(old);
          if (to === null) now.delete(pageParam);
          else now.set(pageParam, to);
          return now;
        },
        { state: { page } },
      );
    },
    [setParams],
  );
  return useMemo(
    () => ({
      items: data?.items ?? [],
      pending: query.isPending,
      fetching: query.isFetching,
      error: query.error,
      retry: () => void refetch(),
      next: next === null || next === '' ? undefined : () => turnTo(next, pageNumber + 1),
      previous: cursor === '' ? undefined : () => (pageNumber > 1 ? void navigate(-1) : turnTo(null, 1)),
      pageNumber,
    }),
    [data, query.isPending, query.isFetching, query.error, refetch, next, cursor, pageNumber, turnTo, navigate],
  );
}

/** Whether two keys name the same thing, by filters or pages that may differ: the old rows stay until the new ones are there. */
export function sameSubject(a: QueryKey | undefined, b: QueryKey): boolean {
  return a !== undefined && namesOf(a) === namesOf(b);
}

function namesOf(key: QueryKey): string {
  return JSON.stringify(key.filter((part) => typeof part !== 'object'));
}

function pageOf(state: unknown): number {
  const page = typeof state === 'object' && state !== null && 'page' in state ? state.page : 1;
  return typeof page === 'number' ? page : 1;
}

/** Where a write's refusal is shown: by a notification, or by who asked. */
type Shown = 'notify' | 'self';

/**
 * A write whose answer is lost has no X-Min-Index to read it by, and the replica
 * that is asked may not have it yet: it has after this long, unless it is cut off.
 */
const replicaMillis = 1_000;

/**
 * Changes something by the API. What `stale` names is read anew before the
 * write counts as done, so that the page shows it at once.
 */
export function useWrite<V, T>(
  call: (variables: V) => Promise<Answer<T>>,
  {
    stale = [],
    done,
    failed = 'notify',
    open = false,
    onSuccess,
  }: {
    stale?: readonly string[];
    done?: string | ((data: T, variables: V) => string);
    failed?: Shown;
    /** A 401 is an answer here, not the end of a session. */
    open?: boolean;
    onSuccess?: (data: T, variables: V) => void;
  } = {},
): UseMutationResult<T, Problem, V> {
  const client = useQueryClient();
  return useMutation<T, Problem, V>({
    mutationFn: (variables) => unwrap(call(variables)),
    meta: { open },
    onSuccess: async (data, variables) => {
      await Promise.all(stale.map((name) => client.invalidateQueries({ queryKey: [name] })));
      if (done !== undefined) {
        notifications.show({ message: typeof done === 'string' ? done : done(data, variables), color: 'teal' });
      }
      onSuccess?.(data, variables);
    },
    onError: (problem) => {
      if (problem.unsettled) {
        const reread = (): void => {
          for (const name of stale) void client.invalidateQueries({ queryKey: [name] });
        };
        reread();
        setTimeout(reread, replicaMillis);
      }
      if (failed === 'notify') notifyProblem(problem);
    },
  });
}

/** For what is done aside from queries and writes: a bug stays one. */
export function notifyFailure(error: unknown): void {
  if (!isProblem(error)) throw error;
  notifyProblem(error);
}

export function notifyProblem(problem: Problem): void {
  notifications.show({
    title: problem.title,
    message: problem.requestId === '' ? problem.message : `${problem.message} (${problem.requestId})`,
    color: 'red',
    autoClose: 12_000,
  });
}
