import { Stack, Text, TextInput, Title } from '@mantine/core';

import { api } from '../../api/client';
import { useApi, useList } from '../../api/hooks';
import { formatDay, formatMoney, formatMonth } from '../../format';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { useSetFilters } from '../../parts/UrlFilters';
import { useMonth } from '../../parts/month';
import { Money } from '../../parts/numbers';
import { adminText } from '../../text/en-admin';
import { formatBasisPoints } from './basis-points';
import type { Fee, Share } from './data';
import { planName } from './plan-name';
import { wholeList } from './whole-list';

const text = adminText.billing;

function thisMonth(): string {
  return new Date().toISOString().slice(0, 7);
}

/** What the platform earns in a month: its share of overage, and plan fees. */
export default function Billing() {
  const { asked, wrong } = useMonth('period');
  const setFilters = useSetFilters();
  const month = asked ?? thisMonth();
  return (
    <>
      <PageHeader
        title={text.title}
        description={text.description(formatMonth(month))}
        actions={<TextInput size="sm" type="month" aria-label={text.month} value={month} max={thisMonth()} onChange={(e) => setFilters({ period: e.currentTarget.value })} />}
      />
      {wrong}
      <Stack gap="xl">
        {month === thisMonth() && <Text size="sm" c="dimmed">{text.running}</Text>}
        <Shares month={month} />
        <Fees month={month} />
      </Stack>
    </>
  );
}

function Shares({ month }: { month: string }) {
  const query = useApi(['revenue-share', month], (signal) => api.GET('/v1/billing/revenue-share', { params: { query: { period: month } }, signal }));
  const totals = query.data?.totals ?? [];
  const failed = query.data?.failed ?? [];
  return (
    <Stack gap="sm" component="section" aria-label={text.share}>
      <Title order={2}>{text.share}</Title>
      <DataTable<Share> label={text.share} list={wholeList(query, (s) => s.vendors)} columns={shareColumns} id={(s) => `${s.vendor_id} ${s.currency}`} empty={{ title: text.shareEmptyTitle, text: text.shareEmptyText }} />
      {failed.length > 0 && <Text size="sm" c="var(--portal-bad)">{text.shareFailed(failed.join(', '))}</Text>}
      {totals.length > 0 && (
        <Text size="sm" ta="right" className="num" pr="md">
          {text.total}{' '}
          <Text span fw={600}>{totals.map((t) => formatMoney(t.share, t.currency)).join(' + ')}</Text>
        </Text>
      )}
    </Stack>
  );
}

function Fees({ month }: { month: string }) {
  const list = useList<Fee>(['plan-fees', month], (query, signal) => api.GET('/v1/billing/plans', { params: { query: { ...query, period: month } }, signal }));
  return (
    <Stack gap="sm" component="section" aria-label={text.fees}>
      <Title order={2}>{text.fees}</Title>
      <DataTable<Fee> label={text.fees} list={list} columns={feeColumns} id={(f) => f.tenant_id} empty={{ title: text.feesEmptyTitle, text: text.feesEmptyText }} />
      <Text size="xs" c="dimmed">{text.feesHint}</Text>
    </Stack>
  );
}

const shareColumns: readonly Column<Share>[] = [
  { accessor: 'vendor_id', title: text.vendor, render: (s) => <Text span inherit fw={500}>{s.vendor_id}</Text> },
  { accessor: 'overage_revenue', title: text.revenue, number: true, render: (s) => <Money amount={s.overage_revenue} currency={s.currency} /> },
  { accessor: 'basis_points', title: text.rate, number: true, render: (s) => formatBasisPoints(s.basis_points) },
  { accessor: 'share', title: text.amount, number: true, render: (s) => <Money amount={s.share} currency={s.currency} /> },
];

const feeColumns: readonly Column<Fee>[] = [
  { accessor: 'tenant_id', title: text.tenant, render: (f) => <Text span inherit fw={500}>{f.tenant_id}</Text> },
  {
    accessor: 'lines',
    title: text.lines,
    render: (f) => f.lines.map((l) => (
      <Text size="sm" key={`${l.plan} ${l.start}`}>{text.line(planName(l.plan), formatDay(l.start), formatDay(l.end))}</Text>
    )),
  },
  { accessor: 'total', title: text.fee, number: true, render: (f) => <Money amount={f.total} currency={f.currency} /> },
];
