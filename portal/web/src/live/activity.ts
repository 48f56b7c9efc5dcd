import { useQuery } from '@tanstack/react-query';

import { api, type Schemas } from '../api/client';
import type { Page } from '../api/hooks';
import type { Answer, Problem } from '../api/problem';
import { useMay } from '../api/session';
import { walk } from '../api/walk';
import { activityKey, useLive, type Activity } from './live';

type Entry = Schemas['Audit'];

const types: Readonly<Record<string, Activity['type']>> = { checkout: 'lease.granted', return: 'lease.returned', release: 'lease.returned', expire: 'lease.expired' };

/** The event that the stream makes of a record of the audit log; of other records there is none. */
export function activityOf(e: Entry): Activity | undefined {
  const granted = e.result === 'success';
  const type = granted ? types[e.action] : e.action === 'checkout' ? 'checkout.denied' : undefined;
  if (type === undefined || e.timestamp === null) return undefined;
  const reason = !granted ? e.result : e.action === 'release' ? 'released' : undefined;
  const { license_id, user, overage_count, timestamp: at, product: product_id } = e;
  return { id: `${Date.parse(at)}-${e.sequence}`, type, at, license_id, product_id, user, overage_count, ...(reason === undefined ? {} : { reason }) };
}

function sequenceOf(a: Activity): number {
  return Number(a.id.slice(a.id.indexOf('-') + 1));
}

/** What the stream told and what was before, newest first; a record that is in both, once. */
export function merge(told: readonly Activity[], before: readonly Activity[]): Activity[] {
  const all = new Map([...before, ...told].map((a) => [sequenceOf(a), a] as const));
  return [...all].toSorted(([a], [b]) => b - a).map(([, a]) => a);
}

const pageLimit = 100;
const mostPages = 5;

/**
 * The newest of what happened, of a license or of all, and what happens from now
 * on. Who may not see the audit log has what the stream told since the page was opened.
 */
export function useActivity(license: string | undefined, most: number): { items: readonly Activity[]; pending: boolean; error: Problem | null; retry: () => void } {
  const { recent, state } = useLive();
  const sees = useMay('view_audit');
  const before = useQuery<Activity[], Problem>({
    queryKey: [...activityKey, license ?? '', most],
    queryFn: async ({ signal }) => {
      const { items } = await walk((cursor) => api.GET('/api/v1/audit', { params: { query: { order: 'desc', limit: pageLimit, cursor } }, signal }) as Promise<Answer<Page<Entry>>>, {
        keep: (e) => activityOf(e) !== undefined && (license === undefined || e.license_id === license),
        enough: most,
        mostPages,
      });
      return items.flatMap((e) => activityOf(e) ?? []).slice(0, most);
    },
    // The stream tells all that comes after it began.
    enabled: sees && state !== 'connecting',
  });
  const told = recent.filter((a) => license === undefined || a.license_id === license);
  return {
    items: merge(told, before.data ?? []).slice(0, most),
    pending: sees && before.isPending,
    error: before.error,
    retry: () => void before.refetch(),
  };
}
