import { Button, Stack, Text, Title } from '@mantine/core';
import { useMemo, useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { useList, useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { Clip } from '../../parts/Clip';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { DataTable, type Column } from '../../parts/DataTable';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { Count } from '../../parts/numbers';
import { text as shared } from '../../text/en';
import { tenantText as text } from '../../text/en-tenant';
import type { License } from './data';

type Lease = Schemas['Lease'];

/** The live leases of a license; those who may end somebody's lease can. */
export function LeaseTable({ license }: { license: License }) {
  const releases = useMay('release_lease');
  const [asked, setAsked] = useState<Lease>();
  const list = useList<Lease>(['leases', license.license_id], (page, signal) => api.GET('/api/v1/leases', { params: { query: { license_id: license.license_id, ...page } }, signal }), { limit: 10 });
  const columns = useMemo(() => leaseColumns(releases ? setAsked : undefined), [releases]);
  return (
    <Stack gap="xs" component="section" aria-label={text.license.holders}>
      <Title order={2}>{text.license.holders}</Title>
      <DataTable<Lease> label={text.license.holders} list={list} columns={columns} id={(l) => l.lease_id} empty={{ title: text.license.holdersEmpty, text: text.license.holdersEmptyText }} />
      <Release lease={asked} license={license} onClose={() => setAsked(undefined)} />
    </Stack>
  );
}

function leaseColumns(release: ((lease: Lease) => void) | undefined): Column<Lease>[] {
  const columns: Column<Lease>[] = [
    { accessor: 'user', title: text.license.userAtHost, render: (l) => <Holder lease={l} /> },
    { accessor: 'type', title: text.license.type, wide: true, render: (l) => <LeaseType lease={l} /> },
    { accessor: 'count', title: text.license.count, number: true, wide: true, render: (l) => <Count value={l.count} /> },
    { accessor: 'issued_at', title: text.license.since, number: true, wide: true, render: (l) => <When at={l.issued_at} /> },
    { accessor: 'expires_at', title: text.license.expires, number: true, wide: true, render: (l) => <When at={l.expires_at} /> },
  ];
  if (release !== undefined) {
    columns.push({
      accessor: 'actions',
      title: <span className="visually-hidden">{shared.table.actions}</span>,
      textAlign: 'right',
      render: (l) => <Button size="compact-xs" variant="default" aria-label={text.license.releaseOf(l.user)} onClick={() => release(l)}>{text.license.release}</Button>,
    });
  }
  return columns;
}

function LeaseType({ lease }: { lease: Lease }) {
  return <StatusBadge status={lease.type} mood={lease.type === 'overage' ? 'warn' : 'quiet'} />;
}

const holderWidth = 240;

function Holder({ lease }: { lease: Lease }) {
  return (
    <>
      <Clip size="sm" fw={500} maw={holderWidth}>{lease.user}</Clip>
      {lease.hostname !== '' && <Clip size="xs" c="dimmed" maw={holderWidth}>{lease.hostname}</Clip>}
      <Text size="xs" hiddenFrom="sm" component="div" c="dimmed"><LeaseType lease={lease} /> · <When at={lease.issued_at} /></Text>
    </>
  );
}

function Release({ lease, license, onClose }: { lease: Lease | undefined; license: License; onClose: () => void }) {
  const release = useWrite((id: string) => api.POST('/api/v1/leases/{id}/release', { params: { path: { id } } }), {
    stale: ['leases', 'license', 'licenses'],
    done: text.license.released(lease?.user ?? ''),
    failed: 'self',
    onSuccess: onClose,
  });
  if (lease === undefined) return null;
  const host = lease.hostname === '' ? '' : text.license.onHost(lease.hostname);
  return (
    <ConfirmByName opened onClose={onClose} title={text.license.releaseTitle(lease.user)} action={text.license.release} busy={release.isPending} error={release.error} onConfirm={() => release.mutate(lease.lease_id)}>
      {text.license.releaseText(license.product_name || license.product_id, host)}
    </ConfirmByName>
  );
}
