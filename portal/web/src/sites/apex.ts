import type { SiteDefinition } from '../app/pages';

/** The platform's own host: what this is, and sign-up. */
export const definition: SiteDefinition = {
  live: false,
  open: [
    { path: '', load: () => import('../pages/apex/Landing') },
    { path: 'signup', load: () => import('../pages/apex/SignUp') },
  ],
  pages: [],
  actions: [],
};
