import { useState } from 'react';

/** A sign-up whose domain is still to be verified. */
export interface Pending {
  id: string;
  domain: string;
  email: string;
  recordName: string;
  recordValue: string;
}

// A DNS record takes its time: people close the page and come back. The token
// in it opens nothing: it is public in DNS.
const key = 'cloudlicenses.signup';

function stored(): Pending | null {
  const kept = localStorage.getItem(key);
  if (kept === null) return null;
  try {
    return JSON.parse(kept) as Pending;
  } catch {
    return null; // of an older portal, or of somebody else
  }
}

/** The sign-up of this browser on this host, as long as it is not finished. */
export function usePending(): [Pending | null, (pending: Pending | null) => void] {
  const [pending, setPending] = useState(stored);
  return [
    pending,
    (next) => {
      if (next === null) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(next));
      setPending(next);
    },
  ];
}

/** Forgets the sign-up, but leaves on the screen how it ended. */
export function forgetPending(): void {
  localStorage.removeItem(key);
}

/** The token of a record's value, cloudlicenses-verify=<token>. */
export function tokenOf(recordValue: string): string {
  return recordValue.slice(recordValue.indexOf('=') + 1);
}
