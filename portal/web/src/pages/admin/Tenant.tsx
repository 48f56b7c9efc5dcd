import { Anchor, Badge, Button, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { Link, useParams } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useApi, useList, useWrite } from '../../api/hooks';
import { formatCount, formatDay } from '../../format';
import { DataTable, type Column } from '../../parts/DataTable';
import { Facts } from '../../parts/Facts';
import { Loading } from '../../parts/Loading';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { Count } from '../../parts/numbers';
import { text as shared } from '../../text/en';
import { adminText } from '../../text/en-admin';
import type { Tenant as TenantView } from './data';
import { groupName } from './health';
import { planName } from './plan-name';
import { TenantActions } from './TenantActions';
import { wholeList } from './whole-list';

const text = adminText.tenant;

type License = Schemas['License'];
type Lease = Schemas['TenantLease'];

const leaseMillis = 5_000;
const leasesShown = 50;

/** One tenant: what it is, its licenses, and what is checked out. */
export default function Tenant() {
  const { id = '' } = useParams();
  const query = useApi<TenantView>(['tenant', id], (signal) => api.GET('/v1/tenants/{tenant}', { params: { path: { tenant: id } }, signal }));
  const back = <Anchor component={Link} to="/tenants" size="sm"><Group gap={4} component="span" display="inline-flex"><IconArrowLeft size={14} aria-hidden />{text.back}</Group></Anchor>;
  if (query.data === undefined) {
    return (
      <>
        <PageHeader title={id} description={back} />
        {query.error === null ? <Loading /> : <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
      </>
    );
  }
  const t = query.data;
  return (
    <>
      <PageHeader title={t.company || t.id} description={back} actions={<TenantActions tenant={t} />} />
      <Stack gap="xl">
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
          <Facts
            title={text.facts}
            facts={[
              [adminText.tenants.tenant, <span key="id" className="mono">{t.id}</span>],
              [text.customerId, t.customer_id === '' ? undefined : <span key="c" className="mono">{t.customer_id}</span>],
              [adminText.tenants.status, <StatusBadge key="s" status={t.status} />],
              [text.deletes, t.deletes_at ? <When key="d" at={t.deletes_at} /> : undefined],
              [adminText.tenants.plan, planName(t.plan)],
              [text.url, <span key="u" className="mono">{t.url}</span>],
              [adminText.tenants.group, t.group === 0 ? adminText.tenants.notPlaced : groupName({ id: t.group })],
              [text.epoch, formatCount(t.epoch)],
              [adminText.tenants.region, t.region === '' ? undefined : t.region],
              [text.created, <When key="a" at={t.created_at} />],
              [text.verified, <When key="v" at={t.verified_at} />],
            ]}
          />
          <Audit tenant={t.id} />
        </SimpleGrid>
        <Licenses tenant={t.id} />
        <Leases tenant={t.id} />
      </Stack>
    </>
  );
}

function Audit({ tenant }: { tenant: string }) {
  const check = useWrite(() => api.GET('/v1/tenants/{tenant}/audit/verify', { params: { path: { tenant } } }), { failed: 'self' });
  const proof = check.data;
  return (
    <Facts
      title={text.audit}
      facts={proof === undefined ? [] : [
        [text.status, <StatusBadge key="s" status={proof.valid ? 'valid' : 'invalid'} mood={proof.valid ? 'good' : 'bad'} label={proof.valid ? text.valid : text.invalid} />],
        [text.found, proof.detail],
        [text.records, formatCount(proof.records)],
        [text.head, <span key="h" className="mono">{proof.head}</span>],
      ]}
    >
      <Text size="sm" c="dimmed">{text.auditText}</Text>
      {check.error !== null && <ProblemAlert error={check.error} />}
      <Group><Button size="xs" variant="default" loading={check.isPending} onClick={() => check.mutate(undefined)}>{text.verify}</Button></Group>
    </Facts>
  );
}

function Licenses({ tenant }: { tenant: string }) {
  const query = useList<License>(['tenant-licenses', tenant], (page, signal) => api.GET('/v1/tenants/{tenant}/licenses', { params: { path: { tenant }, query: page }, signal }));
  return (
    <Stack gap="sm" component="section" aria-label={text.licenses}>
      <Title order={2}>{text.licenses}</Title>
      <DataTable<License> label={text.licenses} list={query} columns={licenseColumns} id={(l) => l.license_id} empty={{ title: text.licensesEmptyTitle, text: text.licensesEmptyText }} />
    </Stack>
  );
}

// The newest page alone: the URL's page is that of the licenses.
function Leases({ tenant }: { tenant: string }) {
  const query = useApi(['tenant-leases', tenant], (signal) => api.GET('/v1/tenants/{tenant}/leases', { params: { path: { tenant }, query: { limit: leasesShown } }, signal }), { refetchInterval: leaseMillis });
  return (
    <Stack gap="sm" component="section" aria-label={text.leases}>
      <Group gap="xs">
        <Title order={2}>{text.leases}</Title>
        {query.data?.next_cursor && <Text size="sm" c="dimmed">{text.leasesFirst(leasesShown)}</Text>}
      </Group>
      <DataTable<Lease> label={text.leases} list={wholeList(query, (p) => p.items)} columns={leaseColumns} id={(l) => l.lease_id} empty={{ title: text.leasesEmptyTitle, text: text.leasesEmptyText }} />
    </Stack>
  );
}

const licenseColumns: readonly Column<License>[] = [
  { accessor: 'license_id', title: text.license, render: (l) => <span className="mono" style={{ overflowWrap: 'anywhere' }}>{l.license_id}</span> },
  { accessor: 'product_name', title: text.product, wide: true, render: (l) => l.product_name },
  { accessor: 'vendor_id', title: text.vendor, wide: true, render: (l) => l.vendor_id },
  { accessor: 'status', title: text.status, wide: true, render: (l) => <StatusBadge status={l.status} /> },
  { accessor: 'in_use', title: text.inUse, number: true, render: (l) => <span style={{ whiteSpace: 'nowrap' }}>{formatCount(l.in_use)} / {formatCount(l.total_licenses)}</span> },
  { accessor: 'overage_in_use', title: text.overage, number: true, render: (l) => <Count value={l.overage_in_use} dimZero /> },
  { accessor: 'end_date', title: text.until, wide: true, render: (l) => (l.end_date === null ? <Text span inherit c="dimmed">{text.openEnd}</Text> : formatDay(l.end_date)) },
];

const leaseColumns: readonly Column<Lease>[] = [
  { accessor: 'user', title: text.user, render: (l) => l.user },
  { accessor: 'product_id', title: text.product, render: (l) => l.product_id },
  { accessor: 'hostname', title: text.hostname, wide: true, render: (l) => l.hostname || '–' },
  { accessor: 'type', title: text.type, render: (l) => <Badge variant="dot" miw="max-content" color={l.type === 'overage' ? 'var(--portal-overage)' : 'var(--portal-commit)'} tt="none" fw={500}>{shared.status[l.type] ?? l.type}</Badge> },
  { accessor: 'count', title: text.seats, number: true, wide: true, render: (l) => <Count value={l.count} /> },
  { accessor: 'issued_at', title: text.issued, wide: true, render: (l) => <When at={l.issued_at} /> },
  { accessor: 'expires_at', title: text.expires, render: (l) => <When at={l.expires_at} /> },
];
