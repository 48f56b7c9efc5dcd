import { Alert, Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useState } from 'react';

import { api } from '../../../api/client';
import { useApi, useWrite } from '../../../api/hooks';
import { ConfirmByName } from '../../../parts/ConfirmByName';
import { ProblemAlert } from '../../../parts/ProblemAlert';
import { When } from '../../../parts/When';
import { site } from '../../../site';
import { settingsText } from '../../../text/en-tenant-settings';

const text = settingsText.deletion;
const stale = ['deletion', 'plan', 'licenses'];

/** Deletes the tenant, or takes that back as long as there is time. */
export default function Deletion() {
  const deletion = useApi(['deletion'], (signal) => api.GET('/api/v1/deletion', { signal }));
  const [asked, setAsked] = useState(false);
  const begin = useWrite(() => api.POST('/api/v1/deletion', { body: { tenant_id: site.tenant } }), { stale, done: text.begun, failed: 'self', onSuccess: () => setAsked(false) });
  const keep = useWrite(() => api.DELETE('/api/v1/deletion'), { stale, done: text.kept });
  const { data, error } = deletion;
  if (data === undefined) return error === null ? <Skeleton h={120} maw={720} /> : <ProblemAlert error={error} onRetry={() => void deletion.refetch()} />;
  if (data.status === 'deleting') {
    return (
      <Alert color="red" variant="outline" icon={<IconAlertTriangle />} title={text.running} maw={720} styles={{ title: { color: 'var(--portal-bad)' } }}>
        <Group justify="space-between">
          <Text size="sm" component="div">{text.at} <When at={data.deletes_at} /></Text>
          <Button variant="default" loading={keep.isPending} onClick={() => keep.mutate(undefined)}>{text.keep}</Button>
        </Group>
      </Alert>
    );
  }
  return (
    <Stack className="card" p="md" gap="sm" maw={720} component="section" aria-label={text.title}>
      <Title order={2} size="h3">{text.title}</Title>
      <Text size="sm" c="dimmed">{text.text}</Text>
      <Group justify="flex-end"><Button color="red.9" onClick={() => setAsked(true)}>{text.action}</Button></Group>
      <ConfirmByName opened={asked} onClose={() => setAsked(false)} title={text.question(site.tenant)} name={site.tenant} action={text.action} busy={begin.isPending} error={begin.error} onConfirm={() => begin.mutate(undefined)}>
        {text.text}
      </ConfirmByName>
    </Stack>
  );
}
