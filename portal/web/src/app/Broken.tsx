import { Button, Center } from '@mantine/core';
import { IconMoodSad, IconRefresh } from '@tabler/icons-react';
import { useEffect } from 'react';
import { useRouteError } from 'react-router';

import { EmptyState } from '../parts/EmptyState';
import { text } from '../text/en';
import { partIsMissing } from './new-version';

/**
 * What is shown where a page threw. The cause is for the browser's console.
 * `inside`: the navigation is still there, around it.
 */
export function Broken({ inside = false }: { inside?: boolean }) {
  const error = useRouteError();
  useEffect(() => reportError(error), [error]);
  const { title, text: what } = partIsMissing() ? text.newVersion : text.crash;
  const Icon = partIsMissing() ? IconRefresh : IconMoodSad;
  return (
    <Center h="70vh" component={inside ? 'div' : 'main'}>
      <EmptyState order={1} title={title} icon={<Icon size={22} />} action={<Button mt="xs" onClick={() => window.location.reload()}>{text.crash.reload}</Button>}>
        {what}
      </EmptyState>
    </Center>
  );
}
