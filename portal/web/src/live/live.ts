import type { QueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';

import { meKey, queryClient } from '../api/hooks';
import type { Schemas } from '../api/client';
import { openStream, type StreamEvent, type StreamState } from './stream';

/** What happened to a lease, or a refusal (docs/events.md). */
export interface Activity {
  id: string;
  type: 'lease.granted' | 'lease.returned' | 'lease.expired' | 'checkout.denied';
  at: string;
  license_id: string;
  product_id: string;
  user: string;
  hostname?: string;
  count?: number;
  overage_count?: number;
  reason?: string;
  lease_id?: string;
}

type Pool = Pick<Schemas['License'], 'license_id' | 'total_licenses' | 'in_use' | 'commit_in_use' | 'overage_in_use' | 'available'>;

export interface Live {
  state: StreamState;
  recent: readonly Activity[];
}

/** Names what was before the stream began. */
export const activityKey = ['activity'] as const;

const maxRecent = 50;
const activityTypes: ReadonlySet<string> = new Set(['lease.granted', 'lease.returned', 'lease.expired', 'checkout.denied']);
/** A hidden tab lets its connection go: a browser has six of them per host. */
const hiddenMillis = 5_000;

let live: Live = { state: 'connecting', recent: [] };
const listeners = new Set<() => void>();

function set(change: Partial<Live>): void {
  live = { ...live, ...change };
  for (const listener of listeners) listener();
}

/** Puts a pool into every list and page that shows its license. */
export function putPool(client: QueryClient, pool: Pool): void {
  const merge = <T extends { license_id: string }>(l: T): T => (l.license_id === pool.license_id ? { ...l, ...pool } : l);
  client.setQueriesData<{ items: Schemas['License'][] }>({ queryKey: ['licenses'] }, (page) =>
    page === undefined || !Array.isArray(page.items) ? page : { ...page, items: page.items.map(merge) },
  );
  client.setQueriesData<Schemas['License']>({ queryKey: ['license', pool.license_id] }, (l) => (l === undefined ? l : merge(l)));
}

/** Stands for all that is on a page. */
const everything = '';

const firstMillis = 500;
const maxMillis = 15_000;
/** When what an event changes was last read anew, and after how long it is read again. */
const paces = new Map<string, { due: boolean; read: number; wait: number }>();

/**
 * What an event changes is read anew half a second later; where events keep coming,
 * ever more seldom: a busy tenant's open pages would read all the time.
 */
function readAnew(name: string): void {
  const now = Date.now();
  const pace = paces.get(name) ?? { due: false, read: 0, wait: 0 };
  paces.set(name, pace);
  if (pace.due) return;
  pace.wait = now - pace.read > 2 * pace.wait ? firstMillis : Math.min(2 * pace.wait, maxMillis);
  pace.due = true;
  // pages that were told at the same time do not read at the same time
  setTimeout(() => {
    pace.due = false;
    pace.read = Date.now();
    void queryClient.invalidateQueries(name === everything ? {} : { queryKey: [name] });
  }, pace.wait <= 2 * firstMillis ? pace.wait : pace.wait * (0.75 + Math.random() / 2));
}

export function onEvent(event: StreamEvent): void {
  if (event.type === 'pool.changed') {
    putPool(queryClient, JSON.parse(event.data) as Pool);
    return;
  }
  if (event.type === 'resync') {
    readAnew(everything);
    return;
  }
  if (activityTypes.has(event.type)) {
    const activity = { ...(JSON.parse(event.data) as Omit<Activity, 'id' | 'type'>), id: event.id, type: event.type as Activity['type'] };
    set({ recent: [activity, ...live.recent].slice(0, maxRecent) });
    readAnew('leases');
    if ((activity.overage_count ?? 0) > 0) readAnew('costs');
  }
}

/** Keeps the stream open while the component is there and the tab is seen. */
export function useLiveStream(enabled: boolean): void {
  useEffect(() => {
    if (!enabled) return undefined;
    let close: (() => void) | undefined;
    let hidden: ReturnType<typeof setTimeout> | undefined;
    let begun = false; // the stream that is open
    let missed = document.visibilityState !== 'visible'; // what has changed since the page was read
    const onState = (state: StreamState): void => {
      set({ state });
      if (state === 'live' && !begun) {
        begun = true;
        void queryClient.invalidateQueries({ queryKey: activityKey }); // up to here nothing is told
      }
      if (state === 'ended') void queryClient.invalidateQueries({ queryKey: meKey }); // it leads to the log-in
    };
    const seen = (): void => {
      clearTimeout(hidden);
      if (document.visibilityState === 'visible') {
        if (missed) void queryClient.invalidateQueries();
        missed = false;
        if (close !== undefined) return;
        begun = false;
        close = openStream('/api/v1/events', { onEvent, onState });
        return;
      }
      hidden = setTimeout(() => {
        close?.();
        close = undefined;
        missed = true;
      }, hiddenMillis);
    };
    seen();
    document.addEventListener('visibilitychange', seen);
    return () => {
      document.removeEventListener('visibilitychange', seen);
      clearTimeout(hidden);
      close?.();
      set({ state: 'connecting', recent: [] });
    };
  }, [enabled]);
}

/** The stream's state and what happened lately, newest first. */
export function useLive(): Live {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => live,
  );
}
