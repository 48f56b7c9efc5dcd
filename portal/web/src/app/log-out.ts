import { api, operatorToken } from '../api/client';
import { meKey, queryClient } from '../api/hooks';
import { isProblem, unwrap } from '../api/problem';
import { announceSession } from '../api/tabs';
import { site } from '../site';

/** Ends the session here and in the other tabs, and forgets everything that was read by it. */
export async function endSession(): Promise<void> {
  if (site.name === 'admin') {
    operatorToken.clear();
  } else {
    try {
      await unwrap(api.POST('/api/v1/logout'));
    } catch (error) {
      if (!isProblem(error) || error.status !== 401) throw error; // it had ended already
    }
    announceSession(null);
  }
  // What shows the session goes first, then what it was shown of.
  queryClient.setQueryData(meKey, null);
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== meKey[0] });
}

/** Logs out, and leaves no page to come back to. */
export async function logOut(): Promise<void> {
  await endSession();
  window.location.replace('/login');
}
