import { Alert, Group as Row, List, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import { useMemo } from 'react';

import { api } from '../../api/client';
import { useApi } from '../../api/hooks';
import { formatCount } from '../../format';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { Stat } from '../../parts/Stat';
import { StatusBadge } from '../../parts/StatusBadge';
import { Count } from '../../parts/numbers';
import { adminText } from '../../text/en-admin';
import { groupName, largestLag, troubles, type Cluster as ClusterView, type Group, type Node } from './health';
import { Replicas } from './Replicas';
import { useOutbox } from './data';
import { wholeList } from './whole-list';

const text = adminText.cluster;
const refreshMillis = 2_000;

/** Nodes and groups, read anew every two seconds; what is wrong stands on top. */
export default function Cluster() {
  const query = useApi<ClusterView>(['cluster'], (signal) => api.GET('/v1/cluster', { signal }), { refetchInterval: refreshMillis, staleTime: 0 });
  const nodeColumns = useMemo(() => columnsOfNodes(query.data?.groups ?? []), [query.data]);
  const nodes = wholeList(query, (c) => c.nodes.toSorted((a, b) => a.id.localeCompare(b.id, undefined, { numeric: true })));
  const groups = wholeList(query, (c) => c.groups);
  const failing = query.error !== null;
  return (
    <>
      <PageHeader
        title={text.title}
        description={text.description}
        actions={<Text size="sm" component="div" role="status"><StatusBadge status={failing ? 'stale' : 'fresh'} mood={failing ? 'bad' : 'good'} label={failing ? text.stale : text.every(refreshMillis / 1000)} /></Text>}
      />
      <Stack gap="xl">
        {query.data !== undefined && query.data.nodes.length > 0 && <Health cluster={query.data} />}
        <Figures cluster={query.data} />
        <Stack gap="sm" component="section" aria-label={text.nodes}>
          <Title order={2}>{text.nodes}</Title>
          <DataTable<Node> label={text.nodes} list={nodes} columns={nodeColumns} id={(n) => n.id} empty={{ title: text.emptyTitle, text: text.emptyText }} />
        </Stack>
        {query.data !== undefined && (
          <Stack gap="sm" component="section" aria-label={text.groups}>
            <Title order={2}>{text.groups}</Title>
            <DataTable<Group> label={text.groups} list={groups} columns={groupColumns} id={(g) => String(g.id)} empty={{ title: text.emptyTitle, text: text.emptyText }} />
          </Stack>
        )}
      </Stack>
    </>
  );
}

function Health({ cluster }: { cluster: ClusterView }) {
  const found = troubles(cluster);
  if (found.length === 0) {
    return (
      <Alert variant="outline" color="teal" icon={<IconCircleCheck />} title={text.healthy} styles={{ title: { color: 'var(--portal-good)' } }} role="status">
        <Text size="sm">{text.healthyText(cluster.nodes.length)}</Text>
      </Alert>
    );
  }
  const bad = found.some((t) => t.severity === 'bad');
  return (
    <Alert variant="outline" color={bad ? 'red' : 'yellow'} icon={<IconAlertTriangle />} title={text.problems(found.length)} styles={{ title: { color: bad ? 'var(--portal-bad)' : 'var(--portal-warn)' } }} role="alert">
      <List size="sm" spacing={4}>
        {found.map((t) => <List.Item key={t.text}>{t.text}</List.Item>)}
      </List>
    </Alert>
  );
}

function Figures({ cluster }: { cluster: ClusterView | undefined }) {
  const outbox = useOutbox();
  const pending = cluster === undefined;
  const { nodes, groups } = cluster ?? { nodes: [], groups: [] };
  const regions = [...new Set(nodes.map((n) => n.region).filter((r) => r !== ''))].join(', ');
  const deliveries = outbox.data?.groups ?? [];
  const waiting = deliveries.reduce((sum, g) => sum + g.pending.mails + g.pending.webhooks, 0);
  const dead = deliveries.reduce((sum, g) => sum + g.dead.mails + g.dead.webhooks, 0);
  const part = (n: number, all: number) => text.of(formatCount(n), formatCount(all));
  return (
    <SimpleGrid cols={{ base: 2, lg: 4 }} spacing="sm">
      <Stat label={text.nodes} pending={pending} value={part(nodes.filter((n) => n.state === 'alive').length, nodes.length)} hint={regions === '' ? undefined : text.nodesHint(regions)} />
      <Stat label={text.groupsLed} pending={pending} value={part(groups.filter((g) => g.leader !== null).length, groups.length)} hint={text.groupsHint} />
      <Stat label={text.lag} pending={pending} value={<Count value={largestLag(groups)} />} hint={text.lagHint} />
      <Stat label={text.undelivered} pending={outbox.isPending} value={outbox.data === undefined ? '–' : <Count value={waiting} />} hint={outbox.data === undefined ? outbox.error?.message : text.undeliveredHint(formatCount(dead))} />
    </SimpleGrid>
  );
}

const nodeMoods = { alive: 'good', suspect: 'warn', dead: 'bad', left: 'quiet' } as const;

function columnsOfNodes(groups: readonly Group[]): Column<Node>[] {
  const led = (n: Node): number => groups.filter((g) => g.leader === n.id).length;
  return [
    { accessor: 'id', title: text.node, render: (n) => <Text span inherit fw={500}>{n.id}</Text> },
    { accessor: 'state', title: text.state, render: (n) => <StatusBadge status={n.state} mood={nodeMoods[n.state]} label={text.states[n.state]} /> },
    { accessor: 'leads', title: text.leads, render: (n) => (led(n) === 0 ? <Text span inherit c="dimmed">{text.leadsNone}</Text> : <span className="num">{text.leadsGroups(formatCount(led(n)))}</span>) },
    { accessor: 'region', title: text.region, wide: true, render: (n) => place(n.region) },
    { accessor: 'zone', title: text.zone, wide: true, render: (n) => place(n.zone) },
    { accessor: 'version', title: text.version, wide: true, render: (n) => <span className="mono">{n.version}</span> },
    { accessor: 'http', title: text.http, wide: true, render: (n) => <span className="mono">{n.http}</span> },
  ];
}

function place(name: string) {
  return name === '' ? <Text span inherit c="dimmed">–</Text> : name;
}

const groupColumns: readonly Column<Group>[] = [
  { accessor: 'id', title: text.group, render: (g) => <Text span inherit fw={500} style={{ whiteSpace: 'nowrap' }}>{groupName(g)}</Text> },
  { accessor: 'leader', title: text.leader, render: (g) => (g.leader === null ? <StatusBadge status="leaderless" mood="bad" label={text.leaderNone} /> : g.leader) },
  { accessor: 'term', title: text.term, number: true, wide: true, render: (g) => <Count value={g.term} /> },
  { accessor: 'commit_index', title: text.commit, number: true, wide: true, render: (g) => <Count value={g.commit_index} /> },
  { accessor: 'replicas', title: text.replicas, render: (g) => <Row gap="xs"><Replicas group={g} /></Row> },
];
