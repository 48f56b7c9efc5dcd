import { IconBuilding, IconCertificate, IconFileInvoice, IconLayoutDashboard, IconPlus } from '@tabler/icons-react';

import { logInPages } from '../app/open-pages';
import type { SiteDefinition } from '../app/pages';
import { vendorText } from '../text/en-vendors';
import { billingText } from '../text/en-vendors-billing';

/** The vendors' portal, on vendors.<domain> and white-label hosts. */
export const definition: SiteDefinition = {
  live: false,
  open: logInPages,
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
    { path: 'account', load: () => import('../pages/shared/Account') },
  ],
  actions: [
    { id: 'generate', label: vendorText.generate.action, icon: IconPlus, permission: 'manage_licenses', to: '/licenses/new' },
  ],
};
