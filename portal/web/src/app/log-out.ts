import { api, operatorToken } from '../api/client';
import { meKey, queryClient } from '../api/hooks';
import { isProblem, unwrap } from '../api/problem';
import { site } from '../site';

/** Ends the session, and forgets everything that was read by it. */
export async function logOut(): Promise<void> {
  if (site.name === 'admin') {
    operatorToken.clear();
  } else {
    try {
      await unwrap(api.POST('/api/v1/logout'));
    } catch (error) {
      if (!isProblem(error) || error.status !== 401) throw error; // it had ended already
    }
  }
  queryClient.clear();
  queryClient.setQueryData(meKey, null);
  window.location.assign('/login');
}
