import { Anchor, Button, Group, SimpleGrid, Skeleton, Stack, Text, Timeline } from '@mantine/core';
import { Link, useParams } from 'react-router';

import { useApi, type Page } from '../../api/hooks';
import { formatCount, formatDay, formatMoney } from '../../format';
import { AreaCommitOverage } from '../../parts/charts';
import { Facts } from '../../parts/Facts';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { useRange } from '../../parts/range';
import { RangeBar } from '../../parts/RangeBar';
import { formatPeriod, pointsOf } from '../../parts/series';
import { useMay } from '../../api/session';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { vendorText as text } from '../../text/en-vendors';
import { useLicense, type License } from './data';
import { Overage, Seats } from './license-columns';
import { LicenseActions } from './LicenseActions';
import { PackageLink } from './PackageLink';
import { askUsage, type Usage } from './usage';

/** One license: what was agreed, what is in use, what happened. */
export default function LicensePage() {
  const { id = '' } = useParams();
  const query = useLicense(id);
  if (query.error !== null && query.data === undefined) {
    return <><PageHeader title={id} /><ProblemAlert error={query.error} onRetry={() => void query.refetch()} /></>;
  }
  if (query.data === undefined) return <><PageHeader title={id} /><Skeleton h={240} /></>;
  const license = query.data;
  return (
    <>
      <PageHeader
        title={license.license_id}
        description={<Group gap="sm" component="span"><span>{license.product.name} · {license.customer.name}</span><StatusBadge status={license.status} /></Group>}
        actions={<LicenseActions license={license} />}
      />
      <Stack gap="md">
        <SimpleGrid cols={{ base: 1, md: 2, lg: 3 }} spacing="md">
          <Entitlement license={license} />
          <Contract license={license} />
          <Stack gap="md">
            <InUse license={license} />
            <History license={license} />
          </Stack>
        </SimpleGrid>
        <UsageChart license={license} />
      </Stack>
    </>
  );
}

function Entitlement({ license }: { license: License }) {
  const { entitlement: e, product } = license;
  const { pricing } = e;
  return (
    <Facts
      title={text.license.entitlement}
      facts={[
        [text.licenses.product, <>{product.name}<Text size="xs" c="dimmed" className="mono">{product.id}</Text></>],
        [text.license.versions, product.version ?? text.license.anyVersion],
        [text.license.total, formatCount(e.total_licenses)],
        [text.license.commit, formatCount(e.commit_qty)],
        [text.license.maxOverage, formatCount(e.max_overage)],
        [text.license.fee, formatMoney(pricing.commit_fee_monthly, pricing.currency)],
        [text.license.use, formatMoney(pricing.overage_per_use, pricing.currency)],
      ]}
    />
  );
}

function Contract({ license }: { license: License }) {
  const { contract: c, customer } = license;
  const start = c.start_date === null ? '–' : formatDay(c.start_date);
  return (
    <Facts
      title={text.license.facts}
      facts={[
        [text.licenses.customer, <Anchor component={Link} key="customer" size="sm" to={`/customers/${encodeURIComponent(customer.crm_account_id)}`}>{customer.name}</Anchor>],
        [text.license.crm, customer.crm_account_id],
        [text.license.tenant, <Anchor key="tenant" size="sm" href={customer.tenant_url}>{customer.tenant_id}</Anchor>],
        [text.license.opportunity, license.crm_opportunity_id],
        [text.license.period, `${start} – ${c.end_date === null ? text.licenses.openEnd : formatDay(c.end_date)}`],
        [text.license.renew, c.auto_renew ? text.license.yes : text.license.no],
        [text.license.cycle, text.generate.cycles[c.billing_cycle]],
      ]}
    >
      <Group mt="xs"><PackageLink id={license.license_id}>{text.license.package}</PackageLink></Group>
    </Facts>
  );
}

function InUse({ license }: { license: License }) {
  const mayCosts = useMay('view_costs');
  const records = `/billing/records/${encodeURIComponent(license.license_id)}`;
  return (
    <Facts
      title={text.license.pool}
      facts={[
        [text.licenses.use, license.pool === undefined ? text.licenses.notThere : <Group key="seats" justify="flex-start"><Seats license={license} /></Group>],
        [text.licenses.overage, license.this_month && <Overage key="overage" license={license} />],
      ]}
    >
      {mayCosts && license.this_month !== undefined && <Group><Button component={Link} to={records} size="xs" variant="default">{text.license.records}</Button></Group>}
    </Facts>
  );
}

function History({ license }: { license: License }) {
  const steps = ([
    ['created', license.created_at],
    ['provisioned', license.provisioned_at],
    ['suspended', license.suspended_at],
    ['revoked', license.revoked_at],
  ] as const).filter(([, at]) => at !== null);
  return (
    <Facts title={text.license.timeline} facts={[]}>
      <Timeline bulletSize={12} lineWidth={2} active={steps.length - 1}>
        {steps.map(([name, at]) => (
          <Timeline.Item key={name} title={<Text size="sm">{text.license.at[name]}</Text>}>
            <Text size="xs" c="dimmed" component="div"><When at={at} /></Text>
          </Timeline.Item>
        ))}
      </Timeline>
    </Facts>
  );
}

function UsageChart({ license }: { license: License }) {
  const { from, to, by } = useRange();
  const id = license.license_id;
  const query = useApi<Page<Usage>>(['usage', { id, from, to, by }], (signal) =>
    askUsage({ license_id: id, start_date: from, end_date: to, resolution: by }, signal),
  );
  return (
    <Stack gap="sm">
      <RangeBar />
      {query.error !== null && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton h={300} />}
      {query.data !== undefined && (
        <AreaCommitOverage
          title={text.license.usage}
          points={pointsOf(query.data.items[0]?.series ?? [], from, to, by)}
          capacity={license.entitlement.total_licenses}
          formatAt={formatPeriod(by)}
        />
      )}
    </Stack>
  );
}
