import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { useState } from 'react';
import { RouterProvider } from 'react-router/dom';

import { queryClient } from '../api/hooks';
import { colorVariables, theme } from '../theme';
import type { SiteDefinition } from './pages';
import { createRouter } from './router';

export function App({ definition }: { definition: SiteDefinition }) {
  const [router] = useState(() => createRouter(definition));
  return (
    <MantineProvider theme={theme} cssVariablesResolver={colorVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <Notifications position="bottom-right" limit={4} />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
