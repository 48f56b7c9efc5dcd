import type { Page } from './pages';

/** How people get in, on the hosts that have users. */
export const logInPages: readonly Page[] = [
  { path: 'login', load: () => import('../pages/shared/LogIn') },
  { path: 'welcome', load: () => import('../pages/shared/Welcome') },
  { path: 'reset', load: () => import('../pages/shared/Reset') },
];
