import type { SiteDefinition } from '../app/pages';

/** A host below the domain that is nobody's: whatever the path, it says so. */
export const definition: SiteDefinition = {
  live: false,
  open: [{ path: '*', load: () => import('../pages/unknown/UnknownHost') }],
  pages: [],
  actions: [],
};
