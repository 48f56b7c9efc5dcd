import { logInPages } from '../app/open-pages';
import type { SiteDefinition } from '../app/pages';

/** The vendors' portal, on vendors.<domain> and white-label hosts. */
export const definition: SiteDefinition = {
  live: false,
  open: [...logInPages, { path: 'signup', load: () => import('../pages/vendors/SignUp') }],
  pages: [
    { path: 'account', load: () => import('../pages/shared/Account') },
  ],
  actions: [],
};
