import type { SiteDefinition } from '../app/pages';

/** The operators' portal, on the admin address. */
export const definition: SiteDefinition = {
  live: false,
  open: [{ path: 'login', load: () => import('../pages/shared/LogIn') }],
  pages: [],
  actions: [],
};
