import { Anchor, Box, Group, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Link } from 'react-router';

import { formatCount, formatDay, formatMoney } from '../../format';
import { DataTable, type Column } from '../../parts/DataTable';
import { DownloadButton } from '../../parts/DownloadButton';
import { useMonth } from '../../parts/month';
import { PageHeader } from '../../parts/PageHeader';
import { Stat } from '../../parts/Stat';
import { useSetFilters } from '../../parts/UrlFilters';
import { useNow } from '../../parts/When';
import { Count, Money } from '../../parts/numbers';
import { month as thisMonth } from '../../parts/period';
import { costsText as text } from '../../text/en-tenant';
import { CapFacts } from './CapFacts';
import { costsCSV } from './costs-csv';
import { useCosts, type Costs, type ProductCost } from './data';
import { forecast } from './forecast';
import { licensePath } from './license-columns';
import { useShownList } from './shown-list';

interface Row extends ProductCost {
  vendor: string;
}

/** What a month costs, by vendor and product. */
export default function CostsPage() {
  const { asked, wrong } = useMonth('month');
  const month = asked ?? thisMonth();
  const set = useSetFilters();
  const costs = useCosts(month);
  const rows = useMemo(() => (costs.data?.vendors ?? []).flatMap((v) => v.products.map((p): Row => ({ ...p, vendor: v.vendor_name || v.vendor_id }))), [costs.data]);
  const list = useShownList(costs, rows);
  return (
    <>
      <PageHeader title={text.title} description={text.description} actions={costs.data && rows.length > 0 && <Download costs={costs.data} />} />
      {wrong}
      <TextInput mb="sm" w={200} size="sm" type="month" label={text.month} value={month} max={thisMonth()} onChange={(e) => set({ month: e.currentTarget.value === thisMonth() ? null : e.currentTarget.value })} />
      <Stack gap="lg">
        {(costs.data?.totals ?? []).map((t) => <Totals key={t.currency} total={t} month={month} />)}
        <DataTable<Row> label={text.title} list={list} columns={columns} id={(r) => r.license_id} empty={{ title: text.emptyTitle, text: text.emptyText }} />
        <CapFacts />
      </Stack>
    </>
  );
}

function Download({ costs }: { costs: Costs }) {
  const read = () => Promise.resolve({ data: new Blob([costsCSV(costs)], { type: 'text/csv' }), response: new Response() });
  return <DownloadButton variant="default" leftSection={<IconDownload size={16} />} name={`costs-${costs.period}.csv`} read={read}>{text.download}</DownloadButton>;
}

function Totals({ total, month }: { total: Costs['totals'][number]; month: string }) {
  const running = month === thisMonth();
  const ahead = forecast(total, month, useNow());
  const { currency } = total;
  return (
    <SimpleGrid cols={{ base: 2, md: running ? 4 : 3 }} spacing="md">
      <Stat label={text.commit} value={<Money amount={total.commit_fee} currency={currency} />} hint={text.commitHint} />
      <Stat label={text.overage} value={<Money amount={total.overage_cost} currency={currency} />} hint={running ? text.soFar : text.inMonth} />
      <Stat label={text.total} value={<Money amount={total.total} currency={currency} />} hint={running ? text.totalSoFar : undefined} />
      {running && <Stat label={text.forecast} value={<Money amount={ahead ?? null} currency={currency} />} hint={ahead === undefined ? text.forecastLater : text.forecastHint} />}
    </SimpleGrid>
  );
}

const columns: Column<Row>[] = [
  { accessor: 'vendor', title: text.vendor, wide: true },
  { accessor: 'product_name', title: text.product, render: (r) => <Product row={r} /> },
  { accessor: 'commit_qty', title: text.commitSeats, number: true, wide: true, render: (r) => <Count value={r.commit_qty} dimZero /> },
  { accessor: 'commit_fee', title: text.commitFee, number: true, wide: true, render: (r) => <Money amount={r.commit_fee} currency={r.currency} /> },
  { accessor: 'overage_checkouts', title: text.overageUses, number: true, wide: true, render: (r) => <Count value={r.overage_checkouts} dimZero /> },
  { accessor: 'overage_cost', title: text.overageCost, number: true, wide: true, render: (r) => <Money amount={r.overage_cost} currency={r.currency} /> },
  { accessor: 'share', title: text.share, wide: true, render: (r) => <Share row={r} /> },
  { accessor: 'total', title: text.total, number: true, render: (r) => <Text span inherit fw={600}><Money amount={r.total} currency={r.currency} /></Text> },
];

function Product({ row }: { row: Row }) {
  return (
    <>
      <Anchor component={Link} to={licensePath(row.license_id)} size="sm" fw={500} style={{ overflowWrap: 'anywhere' }}>{row.product_name || row.product_id}</Anchor>
      {row.suspended_on !== undefined && <Text size="xs" c="var(--portal-warn)">{text.suspended(formatDay(row.suspended_on))}</Text>}
      <Text size="xs" c="dimmed" hiddenFrom="sm" className="num">{formatMoney(row.commit_fee, row.currency)} + {formatMoney(row.overage_cost, row.currency)} ({formatCount(row.overage_checkouts)})</Text>
    </>
  );
}

function Share({ row }: { row: Row }) {
  const part = row.total > 0 ? (row.commit_fee / row.total) * 100 : 0;
  return (
    <Group gap={1} wrap="nowrap" w={120} h={6} role="img" aria-label={text.shareOf(formatMoney(row.commit_fee, row.currency), formatMoney(row.overage_cost, row.currency))} style={{ overflow: 'hidden', borderRadius: 3, background: 'var(--mantine-color-default-border)' }}>
      <Box h={6} w={`${part}%`} style={{ background: 'var(--portal-commit)' }} />
      <Box h={6} w={row.total > 0 ? `${100 - part}%` : 0} style={{ background: 'var(--portal-overage)' }} />
    </Group>
  );
}
