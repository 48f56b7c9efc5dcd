import { Button, Center } from '@mantine/core';
import { IconMoodSad, IconPlugConnectedX, IconRefresh } from '@tabler/icons-react';
import { useEffect } from 'react';
import { useRouteError } from 'react-router';

import { EmptyState } from '../parts/EmptyState';
import { Loading } from '../parts/Loading';
import { text } from '../text/en';
import { useMissingPart } from './new-version';

const reload = (): void => window.location.reload();

/**
 * What is shown where a page threw. The cause is for the browser's console.
 * `inside`: the navigation is still there, around it.
 */
export function Broken({ inside = false }: { inside?: boolean }) {
  const error = useRouteError();
  useEffect(() => reportError(error), [error]);
  const part = useMissingPart(error);
  if (part?.version === 'asked') return <Loading />;
  const Icon = part === undefined ? IconMoodSad : part.version === 'away' ? IconPlugConnectedX : IconRefresh;
  const said = part === undefined ? text.crash : text.missingPart[part.version];
  return (
    <Center h="70vh" component={inside ? 'div' : 'main'}>
      <EmptyState order={1} title={said.title} icon={<Icon size={22} />} action={<Button mt="xs" onClick={part?.version === 'away' ? part.ask : reload}>{said.reload}</Button>}>
        {said.text}
      </EmptyState>
    </Center>
  );
}
