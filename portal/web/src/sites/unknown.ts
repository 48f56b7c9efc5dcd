import type { SiteDefinition } from '../app/pages';

/** A host below the domain that is nobody's. */
export const definition: SiteDefinition = { live: false, open: [], pages: [], actions: [] };
