import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { api } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { Snippet } from '../../parts/Snippet';
import { StatusBadge } from '../../parts/StatusBadge';
import { settingsText } from '../../text/en-vendors-settings';
import type { Settings } from './data';
import { SettingsCard, useSettingsChange } from './Settings';

const text = settingsText.settings;

/** A host of the vendor's own, and the DNS record that proves it. */
export function WhiteLabel({ settings }: { settings: Settings }) {
  const label = settings.white_label;
  const [host, setHost] = useState(label?.host ?? '');
  const save = useSettingsChange();
  return (
    <SettingsCard title={text.whiteLabel} description={text.whiteLabelText} onSave={() => save.mutate({ white_label: { host: host.trim() } })} busy={save.isPending} error={save.error} shown={['white_label/host']}>
      <TextInput label={text.host} description={text.hostHint} maxLength={253} autoComplete="off" spellCheck={false} value={host} error={save.error?.field('white_label/host')} onChange={(e) => setHost(e.currentTarget.value)} />
      {label !== null && <StatusBadge status={label.status} label={label.status === 'active' ? text.active : text.pending} />}
      {label?.dns_record !== undefined && label.status !== 'active' && <Verify record={label.dns_record} />}
    </SettingsCard>
  );
}

function Verify({ record }: { record: { type: string; name: string; value: string } }) {
  const manages = useMay('manage_settings');
  const verify = useWrite(() => api.POST('/api/v1/settings/white-label/verify'), { stale: ['settings'], done: text.verified, failed: 'self' });
  return (
    <Stack gap="xs">
      <Text size="sm">{text.setRecord}</Text>
      <Text size="xs" c="dimmed">{record.type} · {text.recordName}</Text>
      <Snippet label={text.recordName}>{record.name}</Snippet>
      <Text size="xs" c="dimmed">{record.type} · {text.recordValue}</Text>
      <Snippet label={text.recordValue}>{record.value}</Snippet>
      {verify.error !== null && <ProblemAlert error={verify.error} />}
      {manages && <Group><Button variant="default" loading={verify.isPending} onClick={() => verify.mutate(undefined)}>{text.verify}</Button></Group>}
    </Stack>
  );
}
