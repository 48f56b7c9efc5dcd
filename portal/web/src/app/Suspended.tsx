import { Alert } from '@mantine/core';
import { IconPlayerPause } from '@tabler/icons-react';

import { useSession } from '../api/session';
import { text } from '../text/en';

/** Above every page of a company that the operator has suspended. */
export function Suspended() {
  if (useSession().data?.suspended !== true) return null;
  return (
    <Alert mb="lg" color="yellow" variant="outline" icon={<IconPlayerPause />} title={text.suspended.title} styles={{ root: { background: 'var(--portal-card)' }, title: { color: 'var(--portal-warn)' } }} role="status">
      {text.suspended.text}
    </Alert>
  );
}
