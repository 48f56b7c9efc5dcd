import { Group, Select, Skeleton, Stack, Text } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { IconDownload } from '@tabler/icons-react';

import { api } from '../../api/client';
import { retryWhereItHelps, useApi } from '../../api/hooks';
import type { Problem } from '../../api/problem';
import { formatCount } from '../../format';
import { HeatMap } from '../../parts/charts';
import { DownloadButton } from '../../parts/DownloadButton';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { daysIn, useRange, type Range } from '../../parts/range';
import { RangeBar } from '../../parts/RangeBar';
import { useFilters, useSetFilters } from '../../parts/UrlFilters';
import { vendorText as text } from '../../text/en-vendors';
import { CustomerSelect } from './CustomerSelect';
import { useProducts } from './data';
import { LostDemand } from './LostDemand';
import { readUsage, readUsageCsv, type Usage, type UsageFilter } from './usage';
import { UsageChart } from './UsageChart';
import { UsageTable } from './UsageTable';

const filters = ['customer_crm_id', 'product_id'] as const;
const mostHeatmapDays = 92;

/** Who uses which product, when, and what found no seat. */
export default function Analytics() {
  const range = useRange();
  const filter = useFilters(filters);
  const query = useQuery<{ items: Usage[]; more: boolean }, Problem>({
    queryKey: ['usage', range, filter],
    queryFn: ({ signal }) => readUsage(range, filter, signal),
    retry: retryWhereItHelps,
    placeholderData: keepPreviousData,
  });
  const used = (query.data?.items ?? []).filter((u) => u.totals.checkouts > 0 || u.totals.refusals > 0 || u.totals.seat_hours > 0);
  return (
    <>
      <PageHeader title={text.analytics.title} description={text.analytics.description} actions={<Csv range={range} filter={filter} />} />
      <Group gap="xs" align="flex-end" mb="md" role="search">
        <RangeBar />
        <Filters filter={filter} known={query.data?.items ?? []} />
      </Group>
      <Stack gap="md">
        {query.error !== null && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
        {query.isPending && <Skeleton h={280} />}
        {used.length > 0 && <UsageChart used={used} />}
        <UsageTable used={used} pending={query.isPending} error={query.error} onRetry={() => void query.refetch()} />
        {query.data?.more === true && <Text size="xs" c="dimmed">{text.analytics.truncated(formatCount(query.data.items.length))}</Text>}
        <Peaks range={range} filter={filter} />
        {query.data !== undefined && <LostDemand used={used} />}
      </Stack>
    </>
  );
}

function Filters({ filter, known }: { filter: UsageFilter; known: readonly Usage[] }) {
  const set = useSetFilters();
  const products = new Map((useProducts().data?.items ?? []).map((p) => [p.product_id, p.name] as const));
  for (const u of known) products.set(u.product_id, u.product_name);
  const { product_id: product = null, customer_crm_id: crm = null } = filter;
  if (product !== null && !products.has(product)) products.set(product, product);
  return (
    <>
      <Select w={220} clearable label={text.analytics.product} placeholder={text.customers.any} data={[...products].map(([value, label]) => ({ value, label }))} value={product} onChange={(v) => set({ product_id: v })} />
      <CustomerSelect w={240} value={crm} onChange={(v) => set({ customer_crm_id: v })} />
    </>
  );
}

function Csv({ range, filter }: { range: Range; filter: UsageFilter }) {
  return (
    <DownloadButton
      variant="default"
      leftSection={<IconDownload size={16} />}
      name={`usage-${range.from}-${range.to}.csv`}
      read={() => readUsageCsv(range, filter)}
    >
      {text.analytics.csv}
    </DownloadButton>
  );
}

function Peaks({ range, filter }: { range: Range; filter: UsageFilter }) {
  const fits = daysIn(range.from, range.to) <= mostHeatmapDays;
  const query = useApi(
    ['usage', 'heatmap', range.from, range.to, filter],
    (signal) => api.GET('/api/v1/analytics/heatmap', { params: { query: { ...filter, start_date: range.from, end_date: range.to } }, signal }),
    { enabled: fits },
  );
  if (!fits) return <Text size="sm" c="dimmed">{text.analytics.heatmapLimit}</Text>;
  if (query.error !== null) return <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />;
  if (query.data === undefined) return <Skeleton h={240} />;
  const cells = query.data.cells.map((c) => ({ weekday: c.weekday - 1, hour: c.hour, value: c.average_in_use }));
  return <HeatMap title={text.analytics.peaks} cells={cells} unit={text.analytics.seats} />;
}
