import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { RouterProvider } from 'react-router/dom';

import { queryClient } from '../api/hooks';
import { colorVariables, theme } from '../theme';
import type { SiteDefinition } from './pages';
import { createRouter } from './router';

// Notices are shown after something was done: not needed for the first page.
const Notices = lazy(async () => ({ default: (await import('@mantine/notifications')).Notifications }));

export function App({ definition }: { definition: SiteDefinition }) {
  const [router] = useState(() => createRouter(definition));
  return (
    <MantineProvider theme={theme} cssVariablesResolver={colorVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <Suspense><Notices position="bottom-right" limit={4} /></Suspense>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
