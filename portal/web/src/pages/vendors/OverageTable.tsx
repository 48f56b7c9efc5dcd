import { Anchor, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';

import { DataTable, type Column } from '../../parts/DataTable';
import { Count, Money } from '../../parts/numbers';
import { Stat } from '../../parts/Stat';
import { billingText as text } from '../../text/en-vendors-billing';
import { customerPath } from './Customers';
import { licensePath } from './license-columns';
import { chargesOf, exportQuery, useOverage, type Charge, type Export } from './overage';

/** What customers owe for some days: totals by currency, and a row for each license. */
export function OverageTable({ from, to, crm, totals = false }: { from: string; to: string; crm?: string; totals?: boolean }) {
  const query = useOverage(exportQuery(from, to, crm));
  const items = query.data === undefined ? [] : chargesOf(query.data);
  return (
    <Stack gap="sm">
      {totals && <Totals found={query.data} />}
      <DataTable<Charge>
        label={text.overage}
        list={{ items, pending: query.isPending, fetching: query.isFetching, error: query.error, retry: () => void query.refetch(), next: undefined, previous: undefined, pageNumber: 1 }}
        columns={crm === undefined || totals ? allColumns : ownColumns}
        id={(c) => `${c.license} ${c.currency}`}
        empty={{ title: text.emptyTitle, text: text.emptyText }}
      />
      {items.length > 0 && <Text size="xs" c="dimmed">{text.feeNote}</Text>}
    </Stack>
  );
}

function Totals({ found }: { found: Export | undefined }) {
  if (found === undefined) return <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm"><Stat label={text.totalOverage} value="" pending /></SimpleGrid>;
  const totals = found.totals ?? (found.currency === null ? [] : [{ currency: found.currency, total_overage_revenue: found.total_overage_revenue ?? 0 }]);
  if (totals.length === 0) return null;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm">
      {totals.map((t) => <Stat key={t.currency} label={totals.length === 1 ? text.totalOverage : text.totalIn(t.currency)} value={<Money amount={t.total_overage_revenue} currency={t.currency} />} />)}
    </SimpleGrid>
  );
}

/** The total; on a phone the overage in it as well. */
function Total({ charge: c }: { charge: Charge }) {
  return (
    <>
      <Money amount={c.total} currency={c.currency} />
      <Text size="xs" c="dimmed" hiddenFrom="sm" style={{ whiteSpace: 'nowrap' }}>{text.cost} <Money amount={c.cost} currency={c.currency} /></Text>
    </>
  );
}

const numbers: readonly Column<Charge>[] = [
  { accessor: 'uses', title: text.uses, number: true, wide: true, render: (c) => <Count value={c.uses} dimZero /> },
  { accessor: 'cost', title: text.cost, number: true, wide: true, render: (c) => <Money amount={c.cost} currency={c.currency} /> },
  { accessor: 'fee', title: text.fee, number: true, wide: true, render: (c) => <Money amount={c.fee} currency={c.currency} /> },
  { accessor: 'total', title: text.total, number: true, render: (c) => <Total charge={c} /> },
];

const product: Column<Charge> = {
  accessor: 'product',
  title: text.product,
  render: (c) => (
    <>
      <Text size="xs" c="dimmed" hiddenFrom="sm">{c.customer}</Text>
      <Text size="sm">{c.product}</Text>
      <Group gap={6} wrap="nowrap">
        <Anchor component={Link} to={licensePath(c.license)} className="mono" size="xs" maw={{ base: 120, sm: 'none' }} truncate title={c.license}>{c.license}</Anchor>
        {c.uses !== 0 && <Anchor component={Link} to={`/billing/records/${encodeURIComponent(c.license)}`} size="xs" aria-label={text.recordsOf(c.license)}>{text.records}</Anchor>}
      </Group>
    </>
  ),
};

const allColumns: readonly Column<Charge>[] = [
  {
    accessor: 'customer',
    title: text.customer,
    wide: true,
    render: (c) => (
      <>
        {c.crm === null ? <Text size="sm">{c.customer}</Text> : <Anchor component={Link} to={customerPath(c.crm)} size="sm" fw={500} c="var(--mantine-color-text)">{c.customer}</Anchor>}
        <Text size="xs" c="dimmed">{c.crm ?? c.tenant}</Text>
      </>
    ),
  },
  product,
  ...numbers,
];
const ownColumns: readonly Column<Charge>[] = [product, ...numbers];
