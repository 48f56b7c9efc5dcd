import { Container } from '@mantine/core';
import type { ReactNode } from 'react';
import { Navigate, useLocation } from 'react-router';

import { may, useMay, useSession, type Permission } from '../api/session';
import { Loading } from '../parts/Loading';
import { ProblemAlert } from '../parts/ProblemAlert';
import { RestrictedPage } from '../parts/Restricted';
import type { SiteDefinition } from './pages';

/** Leads to the log-in who has no session, and back to where one was. */
export function RequireSession({ children }: { children: ReactNode }) {
  const session = useSession();
  const { pathname, search } = useLocation();
  if (session.isPending) return <Loading height="100vh" />;
  if (session.data === undefined) {
    return <Container size="sm" pt={80} component="main"><ProblemAlert error={session.error} onRetry={() => void session.refetch()} /></Container>;
  }
  if (session.data === null) {
    const here = pathname + search;
    return <Navigate replace to={here === '/' ? '/login' : `/login?next=${encodeURIComponent(here)}`} />;
  }
  return children;
}

/** Where one was before the log-in; only a path of this host. */
export function nextPath(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : '/';
}

export function Permitted({ permission, children }: { permission: Permission | undefined; children: ReactNode }) {
  return useMay(permission) ? children : <RestrictedPage />;
}

/** The first page that the role permits. */
export function Home({ definition }: { definition: SiteDefinition }) {
  const session = useSession().data;
  const first = definition.pages.find((p) => p.nav !== undefined && may(session, p.permission)) ?? definition.pages.find((p) => may(session, p.permission));
  return first === undefined ? <RestrictedPage /> : <Navigate replace to={`/${first.path}`} />;
}
