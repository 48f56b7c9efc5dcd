import { Anchor, Text } from '@mantine/core';
import { Link, useNavigate } from 'react-router';

import type { List } from '../../api/hooks';
import { formatMonth } from '../../format';
import { Clip } from '../../parts/Clip';
import { DataTable, type Column } from '../../parts/DataTable';
import { Money } from '../../parts/numbers';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { billingText as text } from '../../text/en-vendors-billing';
import type { Invoice } from './data';

export function invoicePath(id: string): string {
  return `/billing/invoices/${encodeURIComponent(id)}`;
}

/** Invoices and credit notes with how far they have come. */
export function InvoiceTable({ list, empty, filters }: { list: List<Invoice>; empty: { title: string; text: string }; filters?: readonly string[] }) {
  const navigate = useNavigate();
  return (
    <DataTable<Invoice>
      label={text.invoices}
      list={list}
      columns={columns}
      id={(i) => i.invoice_id}
      empty={empty}
      filters={filters}
      onRowClick={(i) => void navigate(invoicePath(i.invoice_id))}
    />
  );
}

const columns: readonly Column<Invoice>[] = [
  { accessor: 'invoice_id', title: text.invoice, render: (i) => <Named invoice={i} /> },
  { accessor: 'period', title: text.month, wide: true, render: (i) => <Text span inherit style={{ whiteSpace: 'nowrap' }}>{formatMonth(i.period)}</Text> },
  { accessor: 'customer_name', title: text.customer, wide: true, render: (i) => <Clip maw={200}>{i.customer_name}</Clip> },
  { accessor: 'kind', title: text.kind, wide: true, render: (i) => text.kinds[i.kind] },
  { accessor: 'total', title: text.total, number: true, render: (i) => <Money amount={i.total} currency={i.currency} /> },
  { accessor: 'state', title: text.state, wide: true, render: (i) => <InvoiceState invoice={i} /> },
  { accessor: 'delivery', title: text.delivery, wide: true, render: (i) => <DeliveryState invoice={i} /> },
  { accessor: 'issued_at', title: text.issued, wide: true, render: (i) => <When at={i.issued_at} /> },
];

/** An invoice's number; on a phone its customer, month and state as well. */
function Named({ invoice: i }: { invoice: Invoice }) {
  return (
    <>
      <Anchor component={Link} to={invoicePath(i.invoice_id)} className="mono" display="block" maw={{ base: 200, sm: 'none' }} truncate title={i.invoice_id}>{i.invoice_id}</Anchor>
      <Text size="xs" c="dimmed" hiddenFrom="sm">{i.customer_name} · {formatMonth(i.period)}</Text>
      <Text size="xs" component="div" hiddenFrom="sm"><InvoiceState invoice={i} /></Text>
    </>
  );
}

export function InvoiceState({ invoice }: { invoice: Invoice }) {
  return <StatusBadge status={invoice.state} mood={invoice.state === 'void' ? 'quiet' : 'good'} label={text.states[invoice.state]} />;
}

export function DeliveryState({ invoice }: { invoice: Invoice }) {
  const state = invoice.delivery?.state ?? 'not_sent';
  return <StatusBadge status={state} label={text.deliveries[state]} />;
}
