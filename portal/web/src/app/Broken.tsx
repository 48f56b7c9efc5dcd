import { Button, Center } from '@mantine/core';
import { IconMoodSad } from '@tabler/icons-react';
import { useEffect } from 'react';
import { useRouteError } from 'react-router';

import { EmptyState } from '../parts/EmptyState';
import { text } from '../text/en';

/** What is shown where a page threw. The cause is for the browser's console. */
export function Broken() {
  const error = useRouteError();
  useEffect(() => reportError(error), [error]);
  return (
    <Center h="70vh" component="main">
      <EmptyState title={text.crash.title} icon={<IconMoodSad size={22} />} action={<Button mt="xs" onClick={() => window.location.reload()}>{text.crash.reload}</Button>}>
        {text.crash.text}
      </EmptyState>
    </Center>
  );
}
