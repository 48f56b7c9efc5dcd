import { Anchor, Grid, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { Link, useParams } from 'react-router';

import { formatCount, formatDay } from '../../format';
import { RecentActivity } from '../../live/RecentActivity';
import { Facts } from '../../parts/Facts';
import { Loading } from '../../parts/Loading';
import { PageHeader } from '../../parts/PageHeader';
import { PoolBar, PoolLegend } from '../../parts/PoolBar';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { Restricted } from '../../parts/Restricted';
import { StatusBadge } from '../../parts/StatusBadge';
import { Count, Money } from '../../parts/numbers';
import { tenantText as text } from '../../text/en-tenant';
import { LeaseTable } from './LeaseTable';
import { LicenseUsage } from './LicenseUsage';
import { useCostsByLicense, useLicense, useVendorName, type License } from './data';

/** One license: its pool as it is now, who holds seats, its history and its terms. */
export default function LicensePage() {
  const { id = '' } = useParams();
  const { data: license, error, refetch } = useLicense(id);
  return (
    <>
      <Anchor component={Link} to="/licenses" size="sm" mb="xs" display="inline-flex" style={{ alignItems: 'center', gap: 4 }}><IconArrowLeft size={14} aria-hidden />{text.license.back}</Anchor>
      <PageHeader title={license === undefined ? id : license.product_name || license.product_id} description={license && <span className="mono">{license.license_id}</span>} />
      {license === undefined ? (
        error === null ? <Loading /> : <ProblemAlert title={error.status === 404 ? text.license.missing : undefined} error={error} onRetry={() => void refetch()} />
      ) : (
        <Body license={license} />
      )}
    </>
  );
}

function Body({ license }: { license: License }) {
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, lg: 8 }}>
        <Stack gap="md">
          <PoolCard license={license} />
          <Restricted to="view_leases"><LeaseTable license={license} /></Restricted>
          <LicenseUsage license={license} />
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 4 }}>
        <SimpleGrid cols={{ base: 1, sm: 2, lg: 1 }} spacing="md">
          <Terms license={license} />
          <MonthCosts license={license} />
          <Restricted to="view_events"><RecentActivity named={() => license.product_name} license={license.license_id} most={8} /></Restricted>
        </SimpleGrid>
      </Grid.Col>
    </Grid>
  );
}

function PoolCard({ license }: { license: License }) {
  const excess = license.in_use - license.total_licenses;
  return (
    <Stack className="card" p="md" gap="sm" component="section" aria-label={text.license.pool}>
      <Title order={2} size="h3" className="num">{text.license.inUseOf(formatCount(license.in_use), formatCount(license.total_licenses))}</Title>
      <PoolBar pool={license} height={12} />
      <PoolLegend pool={license} />
      {excess > 0 && <Text size="sm" c="var(--portal-warn)">{text.license.over(formatCount(excess))}</Text>}
    </Stack>
  );
}

function Terms({ license }: { license: License }) {
  const vendorName = useVendorName();
  return (
    <>
      <Facts
        title={text.license.entitlement}
        facts={[
          [text.license.total, <Count key="t" value={license.total_licenses} />],
          [text.license.commit, <Count key="c" value={license.commit_qty} />],
          [text.license.maxOverage, <Count key="m" value={license.max_overage} />],
          [text.license.version, license.version ?? text.license.anyVersion],
        ]}
      />
      <Facts
        title={text.license.contract}
        facts={[
          [text.license.status, <StatusBadge key="s" status={license.status} />],
          [text.license.vendor, vendorName(license.vendor_id)],
          [text.license.product, <span key="p" className="mono">{license.product_id}</span>],
          [text.license.start, license.start_date === null ? '–' : formatDay(license.start_date)],
          [text.license.end, license.end_date === null ? text.licenses.openEnd : formatDay(license.end_date)],
        ]}
      />
    </>
  );
}

function MonthCosts({ license }: { license: License }) {
  const cost = useCostsByLicense().of.get(license.license_id);
  if (cost === undefined) return null;
  return (
    <Facts
      title={text.license.monthCosts}
      facts={[
        [text.license.commitFee, <Money key="c" amount={cost.commit_fee} currency={cost.currency} />],
        [text.license.overageUses, <Count key="n" value={cost.overage_checkouts} />],
        [text.license.overageCost, <Money key="o" amount={cost.overage_cost} currency={cost.currency} />],
        [text.license.costTotal, <Money key="t" amount={cost.total} currency={cost.currency} />],
      ]}
    />
  );
}
