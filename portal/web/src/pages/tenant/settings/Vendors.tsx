import { Button, Stack, Text } from '@mantine/core';
import { useMemo, useState } from 'react';

import { api, type Schemas } from '../../../api/client';
import { useList, useWrite } from '../../../api/hooks';
import { useMay } from '../../../api/session';
import { formatCount } from '../../../format';
import { ConfirmByName } from '../../../parts/ConfirmByName';
import { DataTable, type Column } from '../../../parts/DataTable';
import { StatusBadge } from '../../../parts/StatusBadge';
import { When } from '../../../parts/When';
import { text as shared } from '../../../text/en';
import { settingsText } from '../../../text/en-tenant-settings';

const text = settingsText.vendors;
type Vendor = Schemas['LinkedVendor'];

/** The vendors that may provision to the tenant, and those that may not any more. */
export default function Vendors() {
  const manages = useMay('manage_settings');
  const [asked, setAsked] = useState<Vendor>();
  const list = useList<Vendor>(['vendors'], (query, signal) => api.GET('/api/v1/vendors', { params: { query }, signal }));
  const columns = useMemo(() => vendorColumns(manages ? setAsked : undefined), [manages]);
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed" maw={720}>{text.text}</Text>
      <DataTable<Vendor> label={settingsText.tabs.vendors} list={list} columns={columns} id={(v) => v.vendor_id} empty={{ title: text.emptyTitle, text: text.emptyText }} />
      {asked !== undefined && <Block vendor={asked} onClose={() => setAsked(undefined)} />}
    </Stack>
  );
}

function vendorColumns(block: ((vendor: Vendor) => void) | undefined): Column<Vendor>[] {
  const columns: Column<Vendor>[] = [
    { accessor: 'name', title: text.vendor, render: (v) => <><Text size="sm" fw={500}>{v.name || v.vendor_id}</Text><Text size="xs" c="dimmed" className="mono">{v.vendor_id}</Text></> },
    { accessor: 'status', title: text.status, render: (v) => <StatusBadge status={v.blocked ? 'blocked' : 'linked'} label={v.blocked ? text.blockedStatus : text.linkedStatus} /> },
    { accessor: 'licenses', title: text.licenses, number: true, wide: true, render: (v) => formatCount(v.licenses) },
    { accessor: 'linked_at', title: text.linked, wide: true, render: (v) => <When at={v.linked_at} never="–" /> },
  ];
  if (block !== undefined) {
    columns.push({
      accessor: 'actions',
      title: <span className="visually-hidden">{shared.table.actions}</span>,
      textAlign: 'right',
      render: (v) => (v.blocked ? <Unblock vendor={v} /> : <Button size="compact-sm" variant="default" aria-label={text.blockOf(v.name || v.vendor_id)} onClick={() => block(v)}>{text.block}</Button>),
    });
  }
  return columns;
}

function Unblock({ vendor }: { vendor: Vendor }) {
  const unblock = useWrite(() => api.POST('/api/v1/vendors/{id}/unblock', { params: { path: { id: vendor.vendor_id } } }), {
    stale: ['vendors'],
    done: text.unblocked(vendor.name || vendor.vendor_id),
  });
  return <Button size="compact-sm" variant="default" loading={unblock.isPending} aria-label={text.unblockOf(vendor.name || vendor.vendor_id)} onClick={() => unblock.mutate(undefined)}>{text.unblock}</Button>;
}

function Block({ vendor, onClose }: { vendor: Vendor; onClose: () => void }) {
  const name = vendor.name || vendor.vendor_id;
  const block = useWrite(() => api.POST('/api/v1/vendors/{id}/block', { params: { path: { id: vendor.vendor_id } } }), {
    stale: ['vendors'],
    done: text.blocked(name),
    failed: 'self',
    onSuccess: onClose,
  });
  return (
    <ConfirmByName opened onClose={onClose} title={text.blockTitle(name)} name={vendor.vendor_id} action={text.block} busy={block.isPending} error={block.error} onConfirm={() => block.mutate(undefined)}>
      {text.text}
    </ConfirmByName>
  );
}
