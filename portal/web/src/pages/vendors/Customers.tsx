import { Anchor, Button, Group, SegmentedControl, Switch, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';

import { api } from '../../api/client';
import { useApi, useList, useWrite, type List, type Page } from '../../api/hooks';
import { useMay } from '../../api/session';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { Restricted } from '../../parts/Restricted';
import { StatusBadge } from '../../parts/StatusBadge';
import { UrlFilters, useFilters, useSetFilters } from '../../parts/UrlFilters';
import { When } from '../../parts/When';
import { vendorText as text } from '../../text/en-vendors';
import { useSettings, type Customer, type FoundCustomer } from './data';

export function customerPath(crm: string): string {
  return `/customers/${encodeURIComponent(crm)}`;
}

const kinds = ['name', 'crm_account_id', 'tenant_id'] as const;
type Kind = (typeof kinds)[number];

function kindOf(set: Partial<Record<Kind, string>>): Kind {
  return kinds.find((k) => set[k] !== undefined) ?? 'name';
}

type Row = FoundCustomer & Partial<Pick<Customer, 'linked_at' | 'auto_provision' | 'blocked'>>;

/** Linked customers: all of them, or who is found by name, CRM account or tenant. */
export default function Customers() {
  const set = useFilters(kinds);
  const [kind, setKind] = useState<Kind>(kindOf(set));
  const found = useFound(set);
  const all = useList<Row>(['customers'], (query, signal) => api.GET('/api/v1/customers', { params: { query }, signal }), { enabled: found === undefined });
  const setFilters = useSetFilters();
  const navigate = useNavigate();
  const labels: Record<Kind, string> = { name: text.customers.byName, crm_account_id: text.customers.byCRM, tenant_id: text.customers.byTenant };
  const generate = (
    <Restricted to="manage_licenses">
      <Button component={Link} to="/licenses/new" variant="default" leftSection={<IconPlus size={16} />}>{text.customers.link}</Button>
    </Restricted>
  );
  return (
    <>
      <PageHeader title={text.customers.title} description={text.customers.description} actions={generate} />
      <Group align="flex-end" gap="xs">
        <SegmentedControl
          mb="sm"
          aria-label={text.customers.by}
          value={kind}
          onChange={(k) => { setKind(k as Kind); setFilters(Object.fromEntries(kinds.map((name) => [name, null]))); }}
          data={kinds.map((value) => ({ value, label: labels[value] }))}
        />
        <UrlFilters filters={[{ name: kind, label: labels[kind], kind: 'text' }]} />
      </Group>
      <DataTable<Row>
        label={text.customers.title}
        list={found ?? all}
        columns={columns(found !== undefined)}
        id={(c) => c.crm_account_id}
        filters={kinds}
        empty={{ title: text.customers.emptyTitle, text: text.customers.emptyText, action: generate }}
        onRowClick={(c) => void navigate(customerPath(c.crm_account_id))}
      />
      <Restricted to="view_settings"><ForAll /></Restricted>
    </>
  );
}

/** What a search found, as a list; undefined while nothing is looked for. */
function useFound(set: Partial<Record<Kind, string>>): List<Row> | undefined {
  const looks = Object.keys(set).length > 0;
  const query = useApi<Page<Row>>(['customers', 'search', set], async (signal) => {
    const { data, ...rest } = await api.GET('/api/v1/customers/search', { params: { query: set }, signal });
    const one = data?.customer === undefined ? [] : [data.customer];
    return { ...rest, data: { items: data?.customers ?? one, next_cursor: null } };
  }, { enabled: looks });
  if (!looks) return undefined;
  return {
    items: query.data?.items ?? [], pending: query.isPending, fetching: query.isFetching, error: query.error,
    retry: () => void query.refetch(), next: undefined, previous: undefined, pageNumber: 1,
  };
}

function columns(found: boolean): Column<Row>[] {
  const known: Column<Row>[] = [
    { accessor: 'company_name', title: text.customers.customer, width: 200, render: (c) => <><Anchor component={Link} to={customerPath(c.crm_account_id)} size="sm" fw={500} c="var(--mantine-color-text)">{c.company_name}</Anchor><Text size="xs" c="dimmed" className="mono" hiddenFrom="sm">{c.crm_account_id}</Text></> },
    { accessor: 'crm_account_id', title: text.customers.crm, wide: true, render: (c) => <Text span inherit className="mono" style={{ whiteSpace: 'nowrap' }}>{c.crm_account_id}</Text> },
    { accessor: 'tenant_id', title: text.customers.tenant, wide: true, render: (c) => c.tenant_id },
    { accessor: 'status', title: text.customers.status, render: (c) => <StatusBadge status={c.blocked === true ? 'blocked' : c.status} label={c.blocked === true ? text.customers.blocked : undefined} /> },
  ];
  if (found) return [...known, { accessor: 'registered_at', title: text.customers.since, wide: true, render: (c) => <When at={c.registered_at} /> }];
  return [
    ...known,
    { accessor: 'auto_provision', title: text.customers.provisioning, wide: true, render: (c) => provisioningText(c.auto_provision ?? null) },
    { accessor: 'linked_at', title: text.customers.linked, wide: true, render: (c) => <When at={c.linked_at} /> },
  ];
}

export function provisioningText(set: boolean | null): string {
  if (set === null) return text.customers.asVendor;
  return set ? text.customers.on : text.customers.off;
}

function ForAll() {
  const manages = useMay('manage_settings');
  const settings = useSettings().data;
  const change = useWrite((auto_provision: boolean) => api.PATCH('/api/v1/settings', { body: { auto_provision } }), {
    stale: ['settings'],
    done: (_, on) => (on ? text.customers.forAllOn : text.customers.forAllOff),
  });
  if (settings === undefined) return null;
  return (
    <Group className="card" p="md" mt="md" justify="space-between" wrap="nowrap" component="section" aria-label={text.customers.provisioning}>
      <Switch
        label={`${text.customers.provisioning}: ${text.customers.forAll.toLowerCase()}`}
        description={text.customers.forAllText}
        checked={change.isPending ? change.variables : settings.auto_provision}
        disabled={!manages || change.isPending}
        onChange={(e) => change.mutate(e.currentTarget.checked)}
      />
    </Group>
  );
}
