import { Anchor, Text } from '@mantine/core';
import { Link, useNavigate } from 'react-router';

import type { List } from '../../api/hooks';
import { formatMonth } from '../../format';
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
  { accessor: 'invoice_id', title: text.invoice, render: (i) => <Anchor component={Link} to={invoicePath(i.invoice_id)} className="mono" style={{ whiteSpace: 'nowrap' }}>{i.invoice_id}</Anchor> },
  { accessor: 'period', title: text.month, render: (i) => <Text span inherit style={{ whiteSpace: 'nowrap' }}>{formatMonth(i.period)}</Text> },
  { accessor: 'customer_name', title: text.customer, render: (i) => i.customer_name },
  { accessor: 'kind', title: text.kind, render: (i) => text.kinds[i.kind] },
  { accessor: 'total', title: text.total, number: true, render: (i) => <Money amount={i.total} currency={i.currency} /> },
  { accessor: 'state', title: text.state, render: (i) => <InvoiceState invoice={i} /> },
  { accessor: 'delivery', title: text.delivery, render: (i) => <DeliveryState invoice={i} /> },
  { accessor: 'issued_at', title: text.issued, wide: true, render: (i) => <When at={i.issued_at} /> },
];

export function InvoiceState({ invoice }: { invoice: Invoice }) {
  return <StatusBadge status={invoice.state} mood={invoice.state === 'void' ? 'quiet' : 'good'} label={text.states[invoice.state]} />;
}

export function DeliveryState({ invoice }: { invoice: Invoice }) {
  const state = invoice.delivery?.state ?? 'not_sent';
  return <StatusBadge status={state} label={text.deliveries[state]} />;
}
