import '@mantine/core/styles.layer.css';
import '@mantine/notifications/styles.layer.css';
import './styles.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './app/App';
import type { SiteDefinition } from './app/pages';
import { site } from './site';

const definitions: Readonly<Record<typeof site.name, () => Promise<{ definition: SiteDefinition }>>> = {
  tenant: () => import('./sites/tenant'),
  vendors: () => import('./sites/vendors'),
  admin: () => import('./sites/admin'),
  apex: () => import('./sites/apex'),
  unknown: () => import('./sites/unknown'),
};

async function start(): Promise<void> {
  const root = document.getElementById('root');
  if (root === null) throw new Error('index.html has no #root');
  const { definition } = await definitions[site.name]();
  createRoot(root).render(
    <StrictMode>
      <App definition={definition} />
    </StrictMode>,
  );
}

void start();
