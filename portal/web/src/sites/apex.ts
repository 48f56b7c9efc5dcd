import type { SiteDefinition } from '../app/pages';

/** The platform's own host: what this is, and sign-up. */
export const definition: SiteDefinition = {
  live: false,
  open: [],
  pages: [],
  actions: [],
};
