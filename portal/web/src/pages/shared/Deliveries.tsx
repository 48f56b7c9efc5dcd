import { Button, Drawer, Group, Stack, Text, Title } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { useList, useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { formatCount } from '../../format';
import { DataTable, type Column } from '../../parts/DataTable';
import { Facts } from '../../parts/Facts';
import { Snippet } from '../../parts/Snippet';
import { StatusBadge } from '../../parts/StatusBadge';
import { UrlFilters, useFilters } from '../../parts/UrlFilters';
import { When } from '../../parts/When';
import { webhooksText as text } from '../../text/en-webhooks';

type Delivery = Schemas['Delivery'];
const filters = ['endpoint_id'] as const;

/** What is on its way to endpoints, and what has arrived or failed. */
export function Deliveries({ endpoints }: { endpoints: readonly Schemas['Webhook'][] }) {
  const filter = useFilters(filters);
  const [opened, setOpened] = useState<string>();
  const list = useList<Delivery>(['deliveries', filter], (page, signal) => api.GET('/api/v1/webhooks/deliveries', { params: { query: { ...filter, ...page } }, signal }));
  const shown = list.items.find((d) => d.id === opened);
  return (
    <Stack gap="sm" component="section" aria-label={text.deliveries}>
      <div>
        <Title order={2}>{text.deliveries}</Title>
        <Text size="sm" c="dimmed">{text.deliveriesText}</Text>
      </div>
      <UrlFilters filters={[{ name: 'endpoint_id', label: text.endpoint, kind: 'select', options: endpoints.map((e) => ({ value: e.id, label: e.url })) }]} />
      <DataTable<Delivery> label={text.deliveries} list={list} columns={columns} id={(d) => d.id} filters={filters} empty={{ title: text.noDeliveries, text: text.noDeliveriesText }} onRowClick={(d) => setOpened(d.id)} />
      <Drawer opened={shown !== undefined} onClose={() => setOpened(undefined)} position="right" size="lg" title={text.delivery}>
        {shown !== undefined && <Detail delivery={shown} url={endpoints.find((e) => e.id === shown.endpoint_id)?.url ?? shown.endpoint_id} />}
      </Drawer>
    </Stack>
  );
}

function answerOf(d: Delivery): string {
  return d.error ?? (d.status_code === null ? '–' : String(d.status_code));
}

const columns: readonly Column<Delivery>[] = [
  { accessor: 'event', title: text.event, render: (d) => <Text size="sm" fw={500} style={{ whiteSpace: 'nowrap' }}>{d.event}</Text> },
  { accessor: 'state', title: text.state, render: (d) => <StatusBadge status={d.state} /> },
  { accessor: 'attempts', title: text.attempts, number: true, wide: true, render: (d) => formatCount(d.attempts) },
  { accessor: 'status_code', title: text.answer, wide: true, render: (d) => <Text size="sm" truncate maw={320}>{answerOf(d)}</Text> },
  { accessor: 'occurred_at', title: text.occurred, render: (d) => <When at={d.occurred_at} /> },
  { accessor: 'next_attempt_at', title: text.next, wide: true, render: (d) => <When at={d.next_attempt_at} never="–" /> },
];

function Detail({ delivery: d, url }: { delivery: Delivery; url: string }) {
  const manages = useMay('manage_settings');
  const replay = useWrite(() => api.POST('/api/v1/webhooks/deliveries/{id}/replay', { params: { path: { id: d.id } } }), { stale: ['deliveries'], done: text.replayed });
  return (
    <Stack gap="md">
      <Facts
        title={d.event}
        facts={[
          [text.state, <StatusBadge key="state" status={d.state} />],
          [text.endpoint, url],
          [text.id, <Text key="id" span className="mono">{d.id}</Text>],
          [text.attempts, formatCount(d.attempts)],
          [text.answer, answerOf(d)],
          [text.occurred, <When key="occurred" at={d.occurred_at} />],
          [text.tried, <When key="tried" at={d.last_attempt_at} />],
          [text.next, d.next_attempt_at === null ? undefined : <When key="next" at={d.next_attempt_at} />],
        ]}
      />
      {manages && <Group><Button variant="default" leftSection={<IconSend size={16} />} loading={replay.isPending} onClick={() => replay.mutate(undefined)}>{text.replay}</Button></Group>}
      <Snippet label={text.data}>{JSON.stringify(d.data, null, 2)}</Snippet>
    </Stack>
  );
}
