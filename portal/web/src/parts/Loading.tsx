import { Center, Loader } from '@mantine/core';

import { text } from '../text/en';

/** Holds the place of a page whose file or session is on its way. */
export function Loading({ height = '50vh' }: { height?: string }) {
  return <Center h={height} role="status" aria-label={text.shell.loading}><Loader size="sm" /></Center>;
}
