import { Button, Group, SimpleGrid, Stack, Title } from '@mantine/core';
import { IconBuilding, IconFileExport, IconPlus } from '@tabler/icons-react';
import { Link, useNavigate } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useApi } from '../../api/hooks';
import { formatCount, formatMoney, formatMonth, formatPercent } from '../../format';
import { DataTable } from '../../parts/DataTable';
import { Count, Money } from '../../parts/numbers';
import { PageHeader } from '../../parts/PageHeader';
import { month } from '../../parts/period';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { Restricted } from '../../parts/Restricted';
import { Stat } from '../../parts/Stat';
import { vendorText as text } from '../../text/en-vendors';
import { useLicenses, type License } from './data';
import { activeColumns, licensePath } from './license-columns';

const refreshMillis = 30_000;

/** The vendor's month: customers, overage, revenue, and what is in use now. */
export default function Dashboard() {
  const navigate = useNavigate();
  const list = useLicenses({ status: 'provisioned' }, 25);
  const generate = (
    <Restricted to="manage_licenses">
      <Button component={Link} to="/licenses/new" leftSection={<IconPlus size={16} />}>{text.generate.action}</Button>
    </Restricted>
  );
  return (
    <>
      <PageHeader title={text.dashboard.title} description={text.dashboard.description(formatMonth(month()))} actions={generate} />
      <Stack gap="xl">
        <Restricted to="view_costs"><Overview /></Restricted>
        <Stack gap="sm" component="section" aria-label={text.dashboard.active}>
          <Title order={2}>{text.dashboard.active}</Title>
          <DataTable<License>
            label={text.dashboard.active}
            list={list}
            columns={activeColumns}
            id={(l) => l.license_id}
            onRowClick={(l) => void navigate(licensePath(l.license_id))}
            empty={{ title: text.dashboard.emptyTitle, text: text.dashboard.emptyText, action: generate }}
          />
        </Stack>
        <Stack gap="sm" component="section" aria-label={text.dashboard.actions}>
          <Title order={2}>{text.dashboard.actions}</Title>
          <Group gap="xs">
            {generate}
            <Restricted to="view_costs">
              <Button component={Link} to="/billing" variant="default" leftSection={<IconFileExport size={16} />}>{text.dashboard.exportBilling}</Button>
            </Restricted>
            <Button component={Link} to="/customers" variant="default" leftSection={<IconBuilding size={16} />}>{text.customers.nav}</Button>
          </Group>
        </Stack>
      </Stack>
    </>
  );
}

const otherStats = 3;
const mostColumns = 5;

type Month = Schemas['VendorMonth'];

function Overview() {
  const query = useApi<Month>(['overview', month()], (signal) => api.GET('/api/v1/billing/overview', { params: { query: { period: month() } }, signal }), { refetchInterval: refreshMillis });
  if (query.error !== null && query.data === undefined) return <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />;
  const m = query.data;
  const pending = m === undefined;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: Math.min(mostColumns, otherStats + Math.max(1, m?.revenue.length ?? 1)) }} spacing="sm">
      <Stat label={text.dashboard.customers} pending={pending} value={<Count value={m?.customers ?? 0} />} hint={m && text.dashboard.customersHint(formatCount(m.licenses))} />
      <Stat
        label={text.dashboard.rate}
        pending={pending}
        value={m === undefined || m.checkouts === 0 ? '–' : formatPercent(m.overage_checkouts / m.checkouts)}
        hint={m && (m.checkouts === 0 ? text.dashboard.rateNone : text.dashboard.rateHint(formatCount(m.overage_checkouts), formatCount(m.checkouts)))}
      />
      <Stat label={text.dashboard.refused} pending={pending} value={<Count value={m?.refusals ?? 0} />} hint={text.dashboard.refusedHint} />
      {pending && <Stat label={text.dashboard.revenue} pending value="" />}
      {m?.revenue.length === 0 && <Stat label={text.dashboard.revenue} value="–" hint={text.dashboard.revenueNone} />}
      {m?.revenue.map((r) => (
        <Stat
          key={r.currency}
          label={m.revenue.length === 1 ? text.dashboard.revenue : text.dashboard.revenueIn(r.currency)}
          value={<Money amount={r.total} currency={r.currency} />}
          hint={text.dashboard.revenueHint(formatMoney(r.commit_fee, r.currency), formatMoney(r.overage_cost, r.currency))}
        />
      ))}
    </SimpleGrid>
  );
}
