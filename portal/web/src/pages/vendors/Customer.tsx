import { Alert, Anchor, Button, SegmentedControl, SimpleGrid, Skeleton, Stack, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';

import { api } from '../../api/client';
import { useApi, useWrite } from '../../api/hooks';
import type { Problem } from '../../api/problem';
import { useMay } from '../../api/session';
import { walk } from '../../api/walk';
import { formatMonth } from '../../format';
import { DataTable } from '../../parts/DataTable';
import { EmptyState } from '../../parts/EmptyState';
import { Facts } from '../../parts/Facts';
import { PageHeader } from '../../parts/PageHeader';
import { firstDay, lastDay, month } from '../../parts/period';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { Restricted } from '../../parts/Restricted';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { text as shared } from '../../text/en';
import { vendorText as text } from '../../text/en-vendors';
import { billingText } from '../../text/en-vendors-billing';
import { useLicenses, type Customer as Linked, type FoundCustomer, type License } from './data';
import { provisioningText } from './Customers';
import { InvoiceTable } from './InvoiceTable';
import { ownColumns } from './license-columns';
import { useInvoicesOf } from './invoices';
import { OverageTable } from './OverageTable';

/** A customer: its licenses, this month's overage, its invoices. */
export default function Customer() {
  const { id = '' } = useParams();
  const query = useApi<FoundCustomer | null>(['customers', 'one', id], async (signal) => {
    const { data, ...rest } = await api.GET('/api/v1/customers/search', { params: { query: { crm_account_id: id } }, signal });
    return { ...rest, data: data?.customer ?? null };
  });
  if (query.data === undefined) {
    return <><PageHeader title={id} />{query.error === null ? <Skeleton h={200} /> : <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}</>;
  }
  if (query.data === null) {
    return <><PageHeader title={id} /><EmptyState title={shared.notFound.title}>{text.customers.notFoundText}</EmptyState></>;
  }
  const c = query.data;
  return (
    <>
      <PageHeader
        title={c.company_name}
        description={c.crm_account_id}
        actions={<Restricted to="manage_licenses"><Button component={Link} to={`/licenses/new?${new URLSearchParams({ crm: c.crm_account_id, name: c.company_name, tenant: c.tenant_id }).toString()}`}>{text.generate.action}</Button></Restricted>}
      />
      <Stack gap="xl">
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          <Facts
            title={text.customers.customer}
            facts={[
              [text.customers.status, <StatusBadge key="status" status={c.status} />],
              [text.customers.platformId, c.platform_customer_id],
              [text.customers.tenant, <Anchor key="tenant" size="sm" href={c.tenant_url}>{c.tenant_id}</Anchor>],
              [text.customers.since, <When key="since" at={c.registered_at} />],
            ]}
          />
          <Provisioning crm={c.crm_account_id} />
        </SimpleGrid>
        <CustomerLicenses crm={c.crm_account_id} />
        <Restricted to="view_costs">
          <Stack gap="sm" component="section" aria-label={text.customers.thisMonth}>
            <Title order={2}>{text.customers.months(formatMonth(month()))}</Title>
            <OverageTable from={firstDay(month())} to={lastDay(month())} crm={c.crm_account_id} />
          </Stack>
          <Invoices crm={c.crm_account_id} />
        </Restricted>
      </Stack>
    </>
  );
}

function CustomerLicenses({ crm }: { crm: string }) {
  const list = useLicenses({ crm_account_id: crm });
  return (
    <Stack gap="sm" component="section" aria-label={text.customers.licenses}>
      <Title order={2}>{text.customers.licenses}</Title>
      <DataTable<License> label={text.customers.licenses} list={list} columns={ownColumns} id={(l) => l.license_id} empty={{ title: text.licenses.emptyTitle, text: text.licenses.emptyText }} />
    </Stack>
  );
}

function Invoices({ crm }: { crm: string }) {
  const query = useInvoicesOf(crm);
  const list = {
    items: query.data?.items ?? [], pending: query.isPending, fetching: query.isFetching, error: query.error,
    retry: () => void query.refetch(), next: undefined, previous: undefined, pageNumber: 1,
  };
  return (
    <Stack gap="sm" component="section" aria-label={text.customers.invoices}>
      <Title order={2}>{text.customers.invoices}</Title>
      <InvoiceTable list={list} empty={{ title: billingText.noInvoices, text: billingText.noInvoicesText }} />
    </Stack>
  );
}

const choices = ['vendor', 'on', 'off'] as const;
type Choice = (typeof choices)[number];
const values: Readonly<Record<Choice, boolean | null>> = { vendor: null, on: true, off: false };

// The list alone says how a customer is provisioned: it is read up to this one.
function Provisioning({ crm }: { crm: string }) {
  const manages = useMay('manage_licenses');
  const query = useQuery<Linked | null, Problem>({
    queryKey: ['customers', 'linked', crm],
    queryFn: async ({ signal }) => {
      const read = (cursor: string) => api.GET('/api/v1/customers', { params: { query: { limit: 100, cursor } }, signal });
      const { items } = await walk<Linked>(read, { keep: (c) => c.crm_account_id === crm, enough: 1, mostPages: 200 });
      return items[0] ?? null;
    },
  });
  const change = useWrite((auto_provision: boolean | null) => api.PATCH('/api/v1/customers/{id}', { params: { path: { id: crm } }, body: { auto_provision } }), {
    stale: ['customers'],
    done: (c) => text.customers.set(c.company_name),
  });
  const linked = query.data;
  const set = linked?.auto_provision ?? null;
  return (
    <Facts title={text.customers.provisioning} facts={linked === undefined || linked === null ? [] : [[text.customers.linked, <When key="linked" at={linked.linked_at} />]]}>
      {query.error !== null && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
      {linked === undefined && query.error === null && <Skeleton h={36} />}
      {linked?.blocked === true && <Alert color="red" variant="outline">{text.customers.blockedText}</Alert>}
      {linked && (manages ? (
        <SegmentedControl
          aria-label={text.customers.provisioning}
          disabled={change.isPending}
          value={choices.find((c) => values[c] === set) ?? 'vendor'}
          onChange={(c) => change.mutate(values[c as Choice])}
          data={choices.map((value) => ({ value, label: provisioningText(values[value]) }))}
        />
      ) : provisioningText(set))}
    </Facts>
  );
}
