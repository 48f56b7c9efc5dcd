import { Container } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { Navigate, Outlet, useLocation } from 'react-router';

import { may, useMay, useSession, type Permission } from '../api/session';
import { Loading } from '../parts/Loading';
import { ProblemAlert } from '../parts/ProblemAlert';
import { RestrictedPage } from '../parts/Restricted';
import type { SiteDefinition } from './pages';

const returnKey = 'cloudlicenses.next';

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

/** The shell for who is logged in, the bare page for who is not. */
export function WithSession({ then }: { then: ReactNode }) {
  const session = useSession();
  if (session.isPending) return <Loading height="100vh" />;
  return session.data === null || session.data === undefined ? <Outlet /> : then;
}

/** Where one was before the log-in; only a path of this host. */
export function nextPath(next: string | null): string {
  if (next === null || !next.startsWith('/') || !URL.canParse(next, window.location.origin)) return '/';
  const { origin, pathname, search, hash } = new URL(next, window.location.origin);
  return origin === window.location.origin ? pathname + search + hash : '/';
}

export function Permitted({ permission, children }: { permission: Permission | undefined; children: ReactNode }) {
  return useMay(permission) ? children : <RestrictedPage />;
}

/** Where one was before single sign-on, which always comes back to the first page. */
export const returnPath = {
  keep: (next: string): void => sessionStorage.setItem(returnKey, next),
  take: (): string => {
    const next = sessionStorage.getItem(returnKey);
    sessionStorage.removeItem(returnKey);
    return nextPath(next);
  },
};

/** The first page that the role permits, or the one before single sign-on. */
export function Home({ definition }: { definition: SiteDefinition }) {
  const [next] = useState(returnPath.take);
  const session = useSession().data;
  const first = definition.pages.find((p) => p.nav !== undefined && may(session, p.permission)) ?? definition.pages.find((p) => may(session, p.permission));
  if (next !== '/') return <Navigate replace to={next} />;
  return first === undefined ? <RestrictedPage /> : <Navigate replace to={`/${first.path}`} />;
}
