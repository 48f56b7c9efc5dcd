import { lazy, Suspense, type ReactNode } from 'react';
import { createBrowserRouter, type RouteObject } from 'react-router';

import { Loading } from '../parts/Loading';
import { Broken } from './Broken';
import type { Page, ShellPage, SiteDefinition } from './pages';
import { Home, Permitted, RequireSession, WithSession } from './guards';

const NotFound = lazy(() => import('../pages/shared/NotFound'));
const ProblemPage = lazy(() => import('../pages/shared/ProblemPage'));
const Shell = lazy(() => import('./Shell'));

function Waiting({ children }: { children: ReactNode }) {
  return <Suspense fallback={<Loading />}>{children}</Suspense>;
}

function openRoute({ path, load }: Page): RouteObject {
  const Component = lazy(load);
  const element = <Waiting><Component /></Waiting>;
  return path === '' ? { index: true, element } : { path, element };
}

function shellRoute({ path, load, permission }: ShellPage): RouteObject {
  const Component = lazy(load);
  return { path, errorElement: <Broken inside />, element: <Waiting><Permitted permission={permission}><Component /></Permitted></Waiting> };
}

/** The routes of a site: open pages, and pages inside the shell. */
export function createRouter(definition: SiteDefinition): ReturnType<typeof createBrowserRouter> {
  const hasShell = definition.pages.length > 0;
  const lost: RouteObject = { path: '*', element: <Waiting><NotFound /></Waiting> };
  const shell: RouteObject = {
    element: <RequireSession><Waiting><Shell definition={definition} /></Waiting></RequireSession>,
    errorElement: <Broken />,
    children: [
      { index: true, element: <Home definition={definition} /> },
      ...definition.pages.map(shellRoute),
    ],
  };
  return createBrowserRouter([
    {
      errorElement: <Broken />,
      children: [
        ...definition.open.map(openRoute),
        { path: 'problems/:code', element: <Waiting><ProblemPage /></Waiting> },
        ...(hasShell ? [shell] : []),
        ...(hasShell ? [{ element: <Waiting><WithSession then={<Shell definition={definition} />} /></Waiting>, errorElement: <Broken />, children: [lost] }] : [lost]),
      ],
    },
  ]);
}
