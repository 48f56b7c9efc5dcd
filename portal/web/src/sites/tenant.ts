import { IconCoins, IconHome, IconKey, IconListSearch, IconSettings, IconLicense, IconUserPlus, IconUsers, IconWebhook } from '@tabler/icons-react';

import { logInPages } from '../app/open-pages';
import type { SiteDefinition } from '../app/pages';
import { text } from '../text/en';
import { auditText, costsText, keysText, tenantText } from '../text/en-tenant';
import { settingsText } from '../text/en-tenant-settings';
import { webhooksText } from '../text/en-webhooks';

/** A customer's portal, on <tenant>.<domain>. */
export const definition: SiteDefinition = {
  live: true,
  open: logInPages,
  pages: [
    { path: 'home', permission: 'view_licenses', nav: { label: tenantText.home.nav, icon: IconHome }, load: () => import('../pages/tenant/Home') },
    { path: 'licenses', permission: 'view_licenses', nav: { label: tenantText.licenses.nav, icon: IconLicense }, load: () => import('../pages/tenant/Licenses') },
    { path: 'licenses/:id', permission: 'view_licenses', load: () => import('../pages/tenant/License') },
    { path: 'keys', permission: 'view_keys', nav: { label: keysText.nav, icon: IconKey }, load: () => import('../pages/tenant/Keys') },
    { path: 'costs', permission: 'view_costs', nav: { label: costsText.nav, icon: IconCoins }, load: () => import('../pages/tenant/Costs') },
    { path: 'users', permission: 'view_users', nav: { label: text.users.nav, icon: IconUsers }, load: () => import('../pages/shared/Users') },
    { path: 'audit', permission: 'view_audit', nav: { label: auditText.nav, icon: IconListSearch }, load: () => import('../pages/tenant/Audit') },
    { path: 'webhooks', permission: 'view_settings', nav: { label: webhooksText.nav, icon: IconWebhook }, load: () => import('../pages/shared/Webhooks') },
    { path: 'settings', permission: 'view_settings', nav: { label: settingsText.nav, icon: IconSettings }, load: () => import('../pages/tenant/Settings') },
    { path: 'account', load: () => import('../pages/shared/Account') },
  ],
  actions: [
    { id: 'generate-key', label: keysText.generate, icon: IconKey, permission: 'manage_keys', to: '/keys?new=1' },
    { id: 'invite', label: text.users.invite, icon: IconUserPlus, permission: 'manage_users', to: '/users?invite=1' },
  ],
};
