import { Text } from '@mantine/core';

import { api } from '../../api/client';
import { useList } from '../../api/hooks';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { text as shared } from '../../text/en';
import { adminText } from '../../text/en-admin';
import type { Vendor } from './data';
import { VendorActions } from './VendorActions';

const text = adminText.vendors;

/** Every vendor, and what an operator may do with it. */
export default function Vendors() {
  const list = useList<Vendor>(['vendors'], (query, signal) => api.GET('/v1/vendors', { params: { query }, signal }));
  return (
    <>
      <PageHeader title={text.title} description={text.description} />
      <DataTable<Vendor> label={text.title} list={list} columns={columns} id={(v) => v.id} empty={{ title: text.emptyTitle, text: text.emptyText }} />
    </>
  );
}

const columns: readonly Column<Vendor>[] = [
  { accessor: 'id', title: text.vendor, render: (v) => <Text span inherit fw={500}>{v.id}</Text> },
  { accessor: 'name', title: text.name, wide: true, render: (v) => v.name },
  { accessor: 'status', title: text.status, render: (v) => <StatusBadge status={v.status} /> },
  { accessor: 'license_prefix', title: text.prefix, wide: true, render: (v) => <span className="mono">{v.license_prefix}</span> },
  { accessor: 'auto_provision', title: text.auto, wide: true, render: (v) => <StatusBadge status={v.auto_provision ? 'on' : 'off'} mood={v.auto_provision ? 'good' : 'quiet'} label={v.auto_provision ? text.on : text.off} /> },
  { accessor: 'white_label_host', title: text.host, wide: true, render: (v) => (v.white_label_host === undefined ? <Text span inherit c="dimmed">{text.hostNone}</Text> : v.white_label_host) },
  { accessor: 'group', title: text.group, number: true, render: (v) => (v.group === 0 ? '–' : v.group) },
  { accessor: 'created_at', title: text.since, wide: true, render: (v) => <When at={v.created_at} /> },
  {
    accessor: 'actions',
    title: <span className="visually-hidden">{shared.table.actions}</span>,
    width: 60,
    textAlign: 'right',
    render: (v) => <VendorActions vendor={v} />,
  },
];
