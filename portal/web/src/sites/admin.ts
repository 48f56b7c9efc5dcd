import { IconBuilding, IconBuildingStore, IconReceipt, IconSend, IconServer2, IconShieldX } from '@tabler/icons-react';

import type { SiteDefinition } from '../app/pages';
import { adminText as text } from '../text/en-admin';

/** The operators' portal, on the admin address. */
export const definition: SiteDefinition = {
  live: false,
  open: [{ path: 'login', load: () => import('../pages/shared/LogIn') }],
  pages: [
    { path: 'cluster', nav: { label: text.cluster.nav, icon: IconServer2 }, load: () => import('../pages/admin/Cluster') },
    { path: 'tenants', nav: { label: text.tenants.nav, icon: IconBuilding }, load: () => import('../pages/admin/Tenants') },
    { path: 'tenants/:id', load: () => import('../pages/admin/Tenant') },
    { path: 'vendors', nav: { label: text.vendors.nav, icon: IconBuildingStore }, load: () => import('../pages/admin/Vendors') },
    { path: 'billing', nav: { label: text.billing.nav, icon: IconReceipt }, load: () => import('../pages/admin/Billing') },
    { path: 'deliveries', nav: { label: text.deliveries.nav, icon: IconSend }, load: () => import('../pages/admin/Deliveries') },
    { path: 'refusals', nav: { label: text.refusals.nav, icon: IconShieldX }, load: () => import('../pages/admin/Refusals') },
  ],
  actions: [],
};
