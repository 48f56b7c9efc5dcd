import { IconBuilding, IconCertificate, IconChartBar, IconFileInvoice, IconKey, IconLayoutDashboard, IconPackage, IconPlus, IconSettings, IconUsers, IconWebhook } from '@tabler/icons-react';

import { logInPages } from '../app/open-pages';
import type { SiteDefinition } from '../app/pages';
import { text } from '../text/en';
import { vendorText } from '../text/en-vendors';
import { billingText } from '../text/en-vendors-billing';
import { settingsText } from '../text/en-vendors-settings';
import { webhooksText } from '../text/en-webhooks';

/** The vendors' portal, on vendors.<domain> and white-label hosts. */
export const definition: SiteDefinition = {
  live: false,
  open: [...logInPages, { path: 'signup', load: () => import('../pages/vendors/SignUp') }],
  pages: [
    { path: 'dashboard', permission: 'view_licenses', nav: { label: vendorText.dashboard.nav, icon: IconLayoutDashboard }, load: () => import('../pages/vendors/Dashboard') },
    { path: 'licenses', permission: 'view_licenses', nav: { label: vendorText.licenses.nav, icon: IconCertificate }, load: () => import('../pages/vendors/Licenses') },
    { path: 'licenses/new', permission: 'manage_licenses', load: () => import('../pages/vendors/GenerateLicense') },
    { path: 'licenses/:id', permission: 'view_licenses', load: () => import('../pages/vendors/License') },
    { path: 'customers', permission: 'view_licenses', nav: { label: vendorText.customers.nav, icon: IconBuilding }, load: () => import('../pages/vendors/Customers') },
    { path: 'customers/:id', permission: 'view_licenses', load: () => import('../pages/vendors/Customer') },
    { path: 'billing', permission: 'view_costs', nav: { label: billingText.nav, icon: IconFileInvoice }, load: () => import('../pages/vendors/Billing') },
    { path: 'billing/invoices', permission: 'view_costs', load: () => import('../pages/vendors/Invoices') },
    { path: 'billing/invoices/:id', permission: 'view_costs', load: () => import('../pages/vendors/Invoice') },
    { path: 'billing/records/:id', permission: 'view_costs', load: () => import('../pages/vendors/Records') },
    { path: 'analytics', permission: 'view_licenses', nav: { label: vendorText.analytics.nav, icon: IconChartBar }, load: () => import('../pages/vendors/Analytics') },
    { path: 'products', permission: 'view_licenses', nav: { label: settingsText.products.nav, icon: IconPackage }, load: () => import('../pages/vendors/Products') },
    { path: 'keys', permission: 'view_keys', nav: { label: settingsText.keys.nav, icon: IconKey }, load: () => import('../pages/vendors/Keys') },
    { path: 'webhooks', permission: 'view_settings', nav: { label: webhooksText.nav, icon: IconWebhook }, load: () => import('../pages/shared/Webhooks') },
    { path: 'users', permission: 'view_users', nav: { label: text.users.nav, icon: IconUsers }, load: () => import('../pages/shared/Users') },
    { path: 'settings', permission: 'view_settings', nav: { label: settingsText.settings.nav, icon: IconSettings }, load: () => import('../pages/vendors/Settings') },
    { path: 'account', load: () => import('../pages/shared/Account') },
  ],
  actions: [
    { id: 'generate', label: vendorText.generate.action, icon: IconPlus, permission: 'manage_licenses', to: '/licenses/new' },
    { id: 'export', label: vendorText.dashboard.exportBilling, icon: IconFileInvoice, permission: 'view_costs', to: '/billing' },
    { id: 'key', label: settingsText.keys.generate, icon: IconKey, permission: 'manage_keys', to: '/keys?new=1' },
    { id: 'invite', label: text.users.invite, icon: IconUsers, permission: 'manage_users', to: '/users?invite=1' },
  ],
};
