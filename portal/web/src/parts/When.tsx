import { Text, Tooltip } from '@mantine/core';
import { useSyncExternalStore } from 'react';

import { formatRelative, formatTime, formatUTC, locale } from '../format';
import { text } from '../text/en';

// One clock for every time that is shown: it ticks twice a minute.
const tickMillis = 30_000;
let now = Date.now();
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    for (const w of watchers) w();
  }, tickMillis);
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The clock of every time that is shown, in milliseconds. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}

/** A time as "3 minutes ago"; its own clock and UTC on hover and focus. */
export function When({ at, never = text.when.never }: { at: string | null | undefined; never?: string }) {
  const current = useNow();
  if (at === null || at === undefined) {
    return <Text span inherit c="dimmed">{never}</Text>;
  }
  // What happens while the clock stands still is not in the future.
  const shown = formatRelative(at, Math.max(current, Math.min(Date.parse(at), current + tickMillis)));
  // Who hears the page has no pointer to hover with: UTC is in the text as well.
  return (
    <Tooltip label={<>{formatTime(at)}<br />{formatUTC(at)}</>}>
      <time dateTime={at} className="num" lang={locale} style={{ whiteSpace: 'nowrap', position: 'relative' }}>{shown}<span className="visually-hidden">, {formatUTC(at)}</span></time>
    </Tooltip>
  );
}
