import { IconHome, IconLicense, IconUserPlus, IconUsers } from '@tabler/icons-react';

import { logInPages } from '../app/open-pages';
import type { SiteDefinition } from '../app/pages';
import { text } from '../text/en';
import { tenantText } from '../text/en-tenant';

/** A customer's portal, on <tenant>.<domain>. */
export const definition: SiteDefinition = {
  live: true,
  open: logInPages,
  pages: [
    { path: 'home', permission: 'view_licenses', nav: { label: tenantText.home.nav, icon: IconHome }, load: () => import('../pages/tenant/Home') },
    { path: 'licenses', permission: 'view_licenses', nav: { label: tenantText.licenses.nav, icon: IconLicense }, load: () => import('../pages/tenant/Licenses') },
    { path: 'licenses/:id', permission: 'view_licenses', load: () => import('../pages/tenant/License') },
    { path: 'users', permission: 'view_users', nav: { label: text.users.nav, icon: IconUsers }, load: () => import('../pages/tenant/Users') },
    { path: 'account', load: () => import('../pages/shared/Account') },
  ],
  actions: [
    { id: 'invite', label: text.users.invite, icon: IconUserPlus, permission: 'manage_users', to: '/users?invite=1' },
  ],
};
