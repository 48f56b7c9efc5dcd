import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';

import type { Problem } from '../../api/problem';
import { DataTable, type Column } from '../../parts/DataTable';
import { Count } from '../../parts/numbers';
import { vendorText as text } from '../../text/en-vendors';
import { licensePath } from './license-columns';
import type { Usage } from './usage';

// Seats times hours, to a tenth.
const hours = new Intl.NumberFormat(navigator.language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A license a row, the most used first. */
export function UsageTable({ used, pending, error, onRetry }: { used: readonly Usage[]; pending: boolean; error: Problem | null; onRetry: () => void }) {
  const items = used.toSorted((a, b) => b.totals.seat_hours - a.totals.seat_hours || b.totals.checkouts - a.totals.checkouts);
  return (
    <DataTable<Usage>
      label={text.analytics.who}
      list={{ items, pending, fetching: pending, error: items.length > 0 ? error : null, retry: onRetry, next: undefined, previous: undefined, pageNumber: 1 }}
      columns={columns}
      id={(u) => u.license_id}
      empty={{ title: text.analytics.emptyTitle, text: text.analytics.emptyText }}
    />
  );
}

const columns: readonly Column<Usage>[] = [
  { accessor: 'customer_name', title: text.analytics.customer, render: (u) => <><Anchor component={Link} to={licensePath(u.license_id)} size="sm" fw={500} c="var(--mantine-color-text)">{u.customer_name}</Anchor><Text size="xs" c="dimmed" hiddenFrom="sm">{u.product_name}</Text></> },
  { accessor: 'product_name', title: text.analytics.product, wide: true, render: (u) => <Text size="sm">{u.product_name}</Text> },
  { accessor: 'totals.seat_hours', title: text.analytics.seatHours, number: true, wide: true, render: (u) => hours.format(u.totals.seat_hours) },
  { accessor: 'totals.checkouts', title: text.analytics.checkouts, number: true, render: (u) => <Count value={u.totals.checkouts} /> },
  { accessor: 'totals.overage_checkouts', title: text.analytics.overage, number: true, wide: true, render: (u) => <Count value={u.totals.overage_checkouts} dimZero /> },
  { accessor: 'totals.peak_in_use', title: text.analytics.peak, number: true, wide: true, render: (u) => <Count value={u.totals.peak_in_use} /> },
  { accessor: 'totals.refusals', title: text.analytics.refusals, number: true, render: (u) => <Count value={u.totals.refusals} dimZero /> },
];
