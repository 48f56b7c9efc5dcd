import '@mantine/core/styles.layer.css';
import '@mantine/notifications/styles.layer.css';
import './styles.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { meKey, queryClient } from './api/hooks';
import { followTabs } from './api/tabs';
import { App } from './app/App';
import { renew, watchParts } from './app/new-version';
import type { SiteDefinition } from './app/pages';
import { site } from './site';
import { text } from './text/en';

const definitions: Readonly<Record<typeof site.name, () => Promise<{ definition: SiteDefinition }>>> = {
  tenant: () => import('./sites/tenant'),
  vendors: () => import('./sites/vendors'),
  admin: () => import('./sites/admin'),
  apex: () => import('./sites/apex'),
  unknown: () => import('./sites/unknown'),
};

async function start(root: HTMLElement): Promise<void> {
  watchParts();
  const { definition } = await definitions[site.name]();
  followTabs(() => void queryClient.invalidateQueries({ queryKey: meKey }));
  createRoot(root).render(
    <StrictMode>
      <App definition={definition} />
    </StrictMode>,
  );
}

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
start(root).catch((error: unknown) => {
  root.textContent = text.startFailed;
  void renew();
  reportError(error);
});
