import { useCallback, useEffect, useState } from 'react';

// A part of the application does not come after an upgrade, when the server has
// the files of the new version alone, and while the server is away.

const key = 'cloudlicenses.renewed';
/** A reload that did not help is not repeated before this. */
const againMillis = 60_000;
/** How often a server that is away is asked again. */
const askMillis = 3_000;

/** What the import of a missing part threw. */
const missing = new WeakSet<object>();

export function watchParts(): void {
  window.addEventListener('vite:preloadError', ({ payload }) => missing.add(payload));
}

/** The script that a page of the portal begins with: each version has another. */
export function entryOf(page: Document): string | undefined {
  return page.querySelector('script[type="module"][src]')?.getAttribute('src') ?? undefined;
}

type Version = 'away' | 'new' | 'same';

/** Which version the server has; a proxy's error, or its page, is no server's. */
async function askVersion(): Promise<Version> {
  const html = await fetch('/', { headers: { Accept: 'text/html' }, cache: 'no-store', signal: AbortSignal.timeout(10_000) }).then((r) => (r.ok ? r.text() : '')).catch(() => '');
  const entry = entryOf(new DOMParser().parseFromString(html, 'text/html'));
  if (entry === undefined) return 'away';
  return entry === entryOf(document) ? 'same' : 'new';
}

function reload(): void {
  sessionStorage.setItem(key, String(Date.now()));
  window.location.reload();
}

/** Loads the page anew where the server is there, but not twice in a row. */
export async function renew(): Promise<Version> {
  const version = await askVersion();
  if (version !== 'away' && Date.now() - Number(sessionStorage.getItem(key) ?? 0) >= againMillis) reload();
  return version;
}

/**
 * Why a part did not come, while the page that needs it is shown: it is loaded
 * anew once the server is back. Undefined: this error is another.
 */
export function useMissingPart(error: unknown): { version: Version | 'asked'; ask: () => void } | undefined {
  const is = typeof error === 'object' && error !== null && missing.has(error);
  const [version, setVersion] = useState<Version | 'asked'>('asked');
  const ask = useCallback(() => {
    void askVersion().then((now) => now !== 'away' && reload());
  }, []);
  useEffect(() => {
    if (!is) return undefined;
    let asking: ReturnType<typeof setInterval> | undefined;
    let left = false;
    void renew().then((now) => {
      if (left) return;
      setVersion(now);
      if (now === 'away') asking = setInterval(ask, askMillis);
    });
    return () => {
      left = true;
      clearInterval(asking);
    };
  }, [is, ask]);
  return is ? { version, ask } : undefined;
}
