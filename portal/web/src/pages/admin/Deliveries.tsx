import { Code, Select, Stack, Text, Title } from '@mantine/core';

import { api, type Schemas } from '../../api/client';
import { useList } from '../../api/hooks';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { useFilters, useSetFilters } from '../../parts/UrlFilters';
import { When } from '../../parts/When';
import { Count } from '../../parts/numbers';
import { adminText } from '../../text/en-admin';
import { useOutbox, type Outbox } from './data';
import { groupName } from './health';
import { wholeList } from './whole-list';

const text = adminText.deliveries;

type OutboxGroup = Outbox['groups'][number];
type DeadMail = Schemas['DeadMailPage']['items'][number];

/** What the groups have to deliver, and the mails that were given up. */
export default function Deliveries() {
  const outbox = useOutbox();
  return (
    <>
      <PageHeader title={text.title} description={text.description} />
      <Stack gap="xl">
        <Stack gap="xs">
          <DataTable<OutboxGroup> label={text.title} list={wholeList(outbox, (o) => o.groups)} columns={columns} id={(g) => String(g.id)} empty={{ title: text.emptyTitle, text: text.emptyText }} />
          <Text size="xs" c="dimmed">{text.webhooksHint}</Text>
        </Stack>
        {outbox.data !== undefined && outbox.data.groups.length > 0 && <DeadMails groups={outbox.data.groups} />}
      </Stack>
    </>
  );
}

function DeadMails({ groups }: { groups: readonly OutboxGroup[] }) {
  const { group } = useFilters(['group']);
  const setFilters = useSetFilters();
  // Shown first is a group that has some.
  const chosen = groups.find((g) => String(g.id) === group) ?? groups.find((g) => g.dead.mails > 0) ?? groups[0];
  const id = chosen?.id ?? 1;
  const list = useList<DeadMail>(['dead-mails', id], (query, signal) => api.GET('/v1/groups/{group}/dead-mails', { params: { path: { group: id }, query }, signal }));
  return (
    <Stack gap="sm" component="section" aria-label={text.dead}>
      <Title order={2}>{text.dead}</Title>
      {groups.length > 1 && (
        <Select
          size="sm"
          w={220}
          label={text.group}
          allowDeselect={false}
          value={String(id)}
          onChange={(v) => setFilters({ group: v })}
          data={groups.map((g) => ({ value: String(g.id), label: groupName(g) }))}
        />
      )}
      <DataTable<DeadMail> label={text.dead} list={list} columns={deadColumns} id={(m) => `${m.tenant_id} ${m.kind} ${m.user_id} ${m.occurred_at ?? ''}`} empty={{ title: text.deadEmptyTitle, text: text.deadEmptyText }} />
    </Stack>
  );
}

const columns: readonly Column<OutboxGroup>[] = [
  { accessor: 'id', title: text.group, render: (g) => <Text span inherit fw={500} style={{ whiteSpace: 'nowrap' }}>{groupName(g)}</Text> },
  { accessor: 'pending.mails', title: text.pendingMails, number: true, render: (g) => <Count value={g.pending.mails} dimZero /> },
  { accessor: 'pending.webhooks', title: text.pendingWebhooks, number: true, render: (g) => <Count value={g.pending.webhooks} dimZero /> },
  { accessor: 'oldest_at', title: text.oldest, wide: true, render: (g) => <When at={g.oldest_at} never={text.oldestNone} /> },
  { accessor: 'dead.mails', title: text.deadMails, number: true, render: (g) => <Count value={g.dead.mails} dimZero /> },
  { accessor: 'dead.webhooks', title: text.deadWebhooks, number: true, render: (g) => <Count value={g.dead.webhooks} dimZero /> },
];

const deadColumns: readonly Column<DeadMail>[] = [
  { accessor: 'tenant_id', title: text.tenant, render: (m) => m.tenant_id },
  { accessor: 'kind', title: text.kind, wide: true, render: (m) => <Code>{m.kind}</Code> },
  { accessor: 'email', title: text.to, render: (m) => <span style={{ overflowWrap: 'anywhere' }}>{m.email || m.user_id || '–'}</span> },
  { accessor: 'attempts', title: text.attempts, number: true, wide: true, render: (m) => <Count value={m.attempts} /> },
  { accessor: 'error', title: text.error, render: (m) => <span style={{ overflowWrap: 'anywhere' }}>{m.status_code === null ? m.error : `${m.status_code} ${m.error}`}</span> },
  { accessor: 'failed_at', title: text.failed, wide: true, render: (m) => <When at={m.failed_at} /> },
];
