import { Anchor, Button, Grid, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { Fragment } from 'react';
import { Link, useNavigate } from 'react-router';

import { useMay } from '../../api/session';
import { formatCount, formatMoney } from '../../format';
import { RecentActivity } from '../../live/RecentActivity';
import { DataTable } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { Restricted } from '../../parts/Restricted';
import { Stat } from '../../parts/Stat';
import { Count, Money } from '../../parts/numbers';
import { month } from '../../parts/period';
import { tenantText as text } from '../../text/en-tenant';
import { overageCheckouts, useCosts, useLicenses, type License } from './data';
import { licensePath, useLicenseColumns } from './license-columns';
import { noLicenses } from './no-licenses';
import { useShownList } from './shown-list';

/** The tenant's dashboard: what is in use, what it costs, and what happens now. */
export default function Home() {
  const navigate = useNavigate();
  const licenses = useLicenses();
  const list = useShownList(licenses, licenses.data?.items ?? [], 10);
  const columns = useLicenseColumns(false);
  return (
    <>
      <PageHeader title={text.home.title} description={useMay('view_costs') ? text.home.description : text.home.descriptionUse} />
      <Figures />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, lg: 9 }}>
          <Stack gap="md">
            <Stack gap="xs" component="section" aria-label={text.home.products}>
              <Group justify="space-between">
                <Title order={2}>{text.home.products}</Title>
                <Anchor component={Link} to="/licenses" size="sm">{text.home.allLicenses}</Anchor>
              </Group>
              <DataTable<License>
                label={text.home.products}
                list={list}
                columns={columns}
                id={(l) => l.license_id}
                empty={noLicenses}
                onRowClick={(l) => void navigate(licensePath(l.license_id))}
              />
            </Stack>
            <Restricted to="manage_keys"><Keys /></Restricted>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 3 }}>
          <Restricted to="view_events"><RecentActivity named={(id) => licenses.data?.items.find((l) => l.product_id === id)?.product_name} /></Restricted>
        </Grid.Col>
      </Grid>
    </>
  );
}

function Figures() {
  const licenses = useLicenses();
  const seesCosts = useMay('view_costs');
  const costs = useCosts(month());
  const sum = (of: (l: License) => number): number => (licenses.data?.items ?? []).reduce((n, l) => n + of(l), 0);
  const pending = licenses.data === undefined; // an error is told by the table
  return (
    <>
      {costs.error !== null && <ProblemAlert error={costs.error} onRetry={() => void costs.refetch()} />}
      <SimpleGrid cols={{ base: 2, md: seesCosts ? 4 : 2 }} spacing="md" mb="lg">
        <Stat
          label={text.home.active}
          pending={pending}
          value={<Count value={sum((l) => l.in_use)} />}
          hint={<>{text.home.ofSeats(formatCount(sum((l) => l.total_licenses)))} · {text.home.freeSeats(formatCount(sum((l) => l.available)))}</>}
        />
        <Stat label={text.home.overageNow} pending={pending} value={<Count value={sum((l) => l.overage_in_use)} />} hint={text.home.overageNowHint} />
        {seesCosts && (
          <>
            <Stat label={text.home.overageUses} pending={costs.data === undefined} value={costs.data && <Count value={overageCheckouts(costs.data)} />} hint={text.home.overageUsesHint} />
            <MonthCost />
          </>
        )}
      </SimpleGrid>
    </>
  );
}

function MonthCost() {
  const costs = useCosts(month());
  const totals = costs.data?.totals ?? [];
  return (
    <Stat
      label={text.home.cost}
      pending={costs.data === undefined}
      value={totals.length === 0 ? '–' : totals.map((t, i) => <Fragment key={t.currency}>{i > 0 && ' + '}<Money amount={t.total} currency={t.currency} /></Fragment>)}
      hint={totals.map((t) => <div key={t.currency}>{text.home.costParts(formatMoney(t.commit_fee, t.currency), formatMoney(t.overage_cost, t.currency))}</div>)}
    />
  );
}

function Keys() {
  return (
    <Group className="card" p="md" justify="space-between" component="section" aria-label={text.home.keysTitle}>
      <Stack gap={2}>
        <Title order={2} size="h3">{text.home.keysTitle}</Title>
        <Text size="sm" c="dimmed">{text.home.keysText}</Text>
      </Stack>
      <Button component={Link} to="/keys?new=1" leftSection={<IconPlus size={16} />}>{text.home.generate}</Button>
    </Group>
  );
}
