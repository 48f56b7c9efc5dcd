import { Alert } from '@mantine/core';
import { IconPlayerPause } from '@tabler/icons-react';

import { api } from '../api/client';
import { useApi } from '../api/hooks';
import { useMay } from '../api/session';
import { site } from '../site';
import { text } from '../text/en';

/** Above every page of a company that the operator has suspended, for who may see its plan. */
export function Suspended() {
  const enabled = useMay('view_settings') && site.name === 'tenant';
  const { data } = useApi(['plan'], (signal) => api.GET('/api/v1/plan', { signal }), { enabled, staleTime: 60_000 });
  if (data?.status !== 'suspended') return null;
  return (
    <Alert mb="lg" color="yellow" variant="outline" icon={<IconPlayerPause />} title={text.suspended.title} styles={{ root: { background: 'var(--portal-card)' }, title: { color: 'var(--portal-warn)' } }} role="status">
      {text.suspended.text}
    </Alert>
  );
}
