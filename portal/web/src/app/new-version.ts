// After an upgrade the server has the files of the new version alone: a page
// that was opened before cannot load its parts any more.

const key = 'cloudlicenses.renewed';
/** A reload that did not help is not repeated before this. */
const againMillis = 60_000;

let missing = false;

/** Whether a part of the application could not be loaded. */
export function partIsMissing(): boolean {
  return missing;
}

async function renew(): Promise<void> {
  if (Date.now() - Number(sessionStorage.getItem(key) ?? 0) < againMillis) return;
  // Who is offline keeps what is on the screen.
  const reached = await fetch('/', { method: 'HEAD', cache: 'no-store' }).catch(() => undefined);
  if (reached?.ok !== true) return;
  sessionStorage.setItem(key, String(Date.now()));
  window.location.reload();
}

/** Loads the page anew, once, where a part of it is not there. */
export function renewWhereOld(): void {
  window.addEventListener('vite:preloadError', () => {
    missing = true;
    void renew();
  });
}
