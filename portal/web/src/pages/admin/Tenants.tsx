import { Anchor, Button, Group, Skeleton, SimpleGrid, Stack, Text, TextInput, Title } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { Link, useNavigate } from 'react-router';

import { api } from '../../api/client';
import { useList } from '../../api/hooks';
import { formatCount } from '../../format';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { adminText } from '../../text/en-admin';
import { useTenantCounts, type Tenant } from './data';
import { groupName } from './health';
import { planName } from './plan-name';

const text = adminText.tenants;

function tenantPath(id: string): string {
  return `/tenants/${encodeURIComponent(id)}`;
}

/** Every tenant, with the group that keeps it. */
export default function Tenants() {
  const navigate = useNavigate();
  const list = useList<Tenant>(['tenants'], (query, signal) => api.GET('/v1/tenants', { params: { query }, signal }));
  return (
    <>
      <PageHeader title={text.title} description={text.description} actions={<GoTo />} />
      <Stack gap="xl">
        <PerGroup />
        <DataTable<Tenant>
          label={text.title}
          list={list}
          columns={columns}
          id={(t) => t.id}
          empty={{ title: text.emptyTitle, text: text.emptyText }}
          onRowClick={(t) => void navigate(tenantPath(t.id))}
        />
      </Stack>
    </>
  );
}

// The API lists tenants by id and has no search: who knows the id goes there.
function GoTo() {
  const navigate = useNavigate();
  const [id, setId] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void navigate(tenantPath(id.trim().toLowerCase()));
  };
  return (
    <Group component="form" gap="xs" onSubmit={submit} role="search" wrap="nowrap">
      <TextInput size="sm" aria-label={text.openHint} placeholder={text.openHint} required autoComplete="off" autoCapitalize="none" spellCheck={false} value={id} onChange={(e) => setId(e.currentTarget.value)} />
      <Button type="submit" size="sm" variant="default" style={{ flex: 'none' }}>{text.open}</Button>
    </Group>
  );
}

function PerGroup() {
  const counts = useTenantCounts();
  if (counts.error !== null && counts.data === undefined) return <ProblemAlert error={counts.error} onRetry={() => void counts.refetch()} />;
  const groups = [...(counts.data?.byGroup ?? [])].toSorted(([a], [b]) => a - b);
  if (counts.data !== undefined && groups.length === 0) return null;
  return (
    <Stack gap="xs" component="section" aria-label={text.perGroup}>
      <Title order={2}>{text.perGroup}</Title>
      <SimpleGrid cols={{ base: 2, xs: 3, md: 6 }} spacing="sm">
        {counts.data === undefined
          ? [1, 2].map((k) => <Skeleton key={k} h={62} />)
          : groups.map(([group, n]) => (
            <Stack key={group} className="card" gap={0} px="md" py="xs">
              <Text size="xs" c="dimmed">{group === 0 ? text.notPlaced : groupName({ id: group })}</Text>
              <Text size="sm" fw={600} className="num">{text.inGroup(formatCount(n))}</Text>
            </Stack>
          ))}
      </SimpleGrid>
      {counts.data?.more === true && <Text size="xs" c="dimmed">{text.perGroupOf(formatCount(counts.data.counted))}</Text>}
    </Stack>
  );
}

const columns: readonly Column<Tenant>[] = [
  { accessor: 'id', title: text.tenant, render: (t) => <Anchor component={Link} to={tenantPath(t.id)} size="sm" fw={500}>{t.id}</Anchor> },
  { accessor: 'company', title: text.company, wide: true, render: (t) => t.company },
  { accessor: 'plan', title: text.plan, render: (t) => planName(t.plan) },
  { accessor: 'status', title: text.status, render: (t) => <StatusBadge status={t.status} /> },
  { accessor: 'group', title: text.group, number: true, render: (t) => (t.group === 0 ? '–' : t.group) },
  { accessor: 'region', title: text.region, wide: true, render: (t) => t.region || '–' },
  { accessor: 'created_at', title: text.since, wide: true, render: (t) => <When at={t.created_at} /> },
];
