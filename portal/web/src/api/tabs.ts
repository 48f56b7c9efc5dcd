// The tabs of a browser share one cookie: who logs in or out in one of them
// does so in all. A tab that shows another person's data begins anew.

const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('cloudlicenses.session');

/** Whose data this tab shows; null: nobody's. */
let shown: string | null = null;

/** Says that who is logged in has changed. */
export function announceSession(user: string | null): void {
  shown = user;
  channel?.postMessage(user); // oxlint-disable-line unicorn/require-post-message-target-origin -- a channel has none
}

/** Called with who the server says it is, before anything of theirs is shown. */
export function sessionRead(user: string): void {
  if (shown !== null && shown !== user) window.location.reload();
  else shown = user;
}

/** Follows what other tabs say; `onReturn`: the log-in that this tab waits for was done there. */
export function followTabs(onReturn: () => void): void {
  channel?.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    const user = typeof data === 'string' ? data : null;
    if (shown !== null && shown !== user) window.location.reload();
    else if (user !== null) onReturn();
  });
  // The browser's memory of pages knows nothing of a log-out after them.
  window.addEventListener('pageshow', ({ persisted }) => {
    if (persisted) window.location.reload();
  });
}
