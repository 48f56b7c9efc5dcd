import { Button, Group, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useList } from '../../api/hooks';
import { useMay } from '../../api/session';
import { formatCount } from '../../format';
import { Clip } from '../../parts/Clip';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { Restricted } from '../../parts/Restricted';
import { StatusBadge } from '../../parts/StatusBadge';
import { When, useNow } from '../../parts/When';
import { text as shared } from '../../text/en';
import { keysText as text } from '../../text/en-tenant';
import { KeyActions } from './KeyActions';
import { KeySecret } from './KeySecret';
import { KeyWizard } from './KeyWizard';
import type { Key } from './data';

/** The keys of the tenant's applications: generate, restrict, rotate, revoke. */
export default function Keys() {
  const manages = useMay('manage_keys');
  const [params, setParams] = useSearchParams();
  const [made, setMade] = useState<{ key: Schemas['GeneratedKey']; rotated: boolean }>();
  const list = useList<Key>(['keys'], (query, signal) => api.GET('/api/v1/keys', { params: { query }, signal }));
  const columns = useMemo(() => keyColumns(manages ? (key) => setMade({ key, rotated: true }) : undefined), [manages]);
  const showWizard = (shown: boolean): void =>
    setParams((old) => {
      const now = new URLSearchParams(old);
      if (shown) now.set('new', '1');
      else now.delete('new');
      return now;
    }, { replace: true });
  const generate = (
    <Restricted to="manage_keys">
      <Button leftSection={<IconPlus size={16} />} onClick={() => showWizard(true)}>{text.generate}</Button>
    </Restricted>
  );
  return (
    <>
      <PageHeader title={text.title} description={text.description} actions={generate} />
      <DataTable<Key> label={text.title} list={list} columns={columns} id={(k) => k.key_id} empty={{ title: text.emptyTitle, text: text.emptyText, action: generate }} />
      <KeyWizard
        opened={manages && params.has('new')}
        onClose={() => showWizard(false)}
        onMade={(key) => {
          showWizard(false);
          setMade({ key, rotated: false });
        }}
      />
      <KeySecret made={made?.key} rotated={made?.rotated ?? false} onClose={() => setMade(undefined)} />
    </>
  );
}

const moods = { active: 'good', expired: 'warn', revoked: 'bad' } as const;

function keyColumns(onRotated: ((key: Schemas['GeneratedKey']) => void) | undefined): Column<Key>[] {
  const columns: Column<Key>[] = [
    { accessor: 'app_name', title: text.app, render: (k) => <App apiKey={k} /> },
    { accessor: 'status', title: text.status, wide: true, render: (k) => <Status apiKey={k} /> },
    { accessor: 'scopes', title: text.scopes, wide: true, render: (k) => k.scopes.map((s) => text.scopeNames[s]).join(', ') },
    { accessor: 'restrictions', title: text.restrictions, wide: true, render: (k) => <Limits apiKey={k} /> },
    { accessor: 'last_used_at', title: text.lastUsed, number: true, wide: true, render: (k) => <When at={k.last_used_at} /> },
    { accessor: 'expires_at', title: text.expires, number: true, wide: true, render: (k) => <When at={k.expires_at} never={text.neverExpires} /> },
  ];
  if (onRotated !== undefined) {
    columns.push({
      accessor: 'actions',
      title: <span className="visually-hidden">{shared.table.actions}</span>,
      width: 60,
      textAlign: 'right',
      render: (k) => <KeyActions apiKey={k} onRotated={onRotated} />,
    });
  }
  return columns;
}

function Status({ apiKey: k }: { apiKey: Key }) {
  const now = useNow();
  return (
    <>
      <StatusBadge status={k.status} mood={moods[k.status]} label={text.statuses[k.status]} />
      {k.status === 'active' && k.previous_valid_until !== null && Date.parse(k.previous_valid_until) > now && (
        <Text size="xs" c="dimmed" component="div">{text.earlierEnds} <When at={k.previous_valid_until} /></Text>
      )}
    </>
  );
}

function App({ apiKey: k }: { apiKey: Key }) {
  const { department, contact }: Record<string, unknown> = k.metadata;
  const about = [department, contact].filter((value) => typeof value === 'string');
  return (
    <>
      <Text size="sm" fw={500} style={{ overflowWrap: 'anywhere' }}>{k.app_name || k.key_id}</Text>
      <Group gap={6}>
        {k.app_type !== '' && <Text size="xs" c="dimmed">{text.types[k.app_type] ?? k.app_type}</Text>}
        <Clip fz="xs" c="dimmed" className="mono" maw={{ base: 168, sm: 320 }}>{k.key_id}</Clip>
      </Group>
      {about.length > 0 && <Clip size="xs" c="dimmed" maw={{ base: 168, sm: 320 }}>{about.join(' · ')}</Clip>}
      <Text size="xs" component="div" hiddenFrom="sm"><StatusBadge status={k.status} mood={moods[k.status]} label={text.statuses[k.status]} /></Text>
      <Text size="xs" c="dimmed" component="div" hiddenFrom="sm">{text.lastUsed}: <When at={k.last_used_at} /></Text>
    </>
  );
}

function Limits({ apiKey: k }: { apiKey: Key }) {
  const where = [
    ...(k.allowed_hostnames.length > 0 ? [text.hosts(k.allowed_hostnames.length)] : []),
    ...(k.allowed_ip_ranges.length > 0 ? [text.networks(k.allowed_ip_ranges.length)] : []),
  ];
  return (
    <>
      <Text size="sm" title={[...k.allowed_hostnames, ...k.allowed_ip_ranges].join('\n')}>{where.length === 0 ? text.unrestricted : where.join(', ')}</Text>
      {k.checkouts_per_minute !== null && <Text size="xs" c="dimmed" className="num">{text.rate(formatCount(k.checkouts_per_minute))}</Text>}
    </>
  );
}
