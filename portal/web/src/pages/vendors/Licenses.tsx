import { Button } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { Link, useNavigate } from 'react-router';

import { DataTable } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { Restricted } from '../../parts/Restricted';
import { UrlFilters, useFilters, useSetFilters } from '../../parts/UrlFilters';
import { text as shared } from '../../text/en';
import { vendorText as text } from '../../text/en-vendors';
import { CustomerSelect } from './CustomerSelect';
import { licenseStatuses, useLicenses, useProducts, type License, type LicenseStatus } from './data';
import { allColumns, licensePath } from './license-columns';

const filters = ['status', 'crm_account_id', 'product_id'] as const;

function statusOf(name: string | undefined): LicenseStatus | undefined {
  return licenseStatuses.find((s) => s === name);
}

/** All licenses of the vendor. */
export default function Licenses() {
  const set = useFilters(filters);
  const list = useLicenses({ ...set, status: statusOf(set.status) });
  const navigate = useNavigate();
  const generate = (
    <Restricted to="manage_licenses">
      <Button component={Link} to="/licenses/new" leftSection={<IconPlus size={16} />}>{text.generate.action}</Button>
    </Restricted>
  );
  return (
    <>
      <PageHeader title={text.licenses.title} description={text.licenses.description} actions={generate} />
      <LicenseFilters shown={list.items} />
      <DataTable<License>
        label={text.licenses.title}
        list={list}
        columns={allColumns}
        id={(l) => l.license_id}
        filters={filters}
        empty={{ title: text.licenses.emptyTitle, text: text.licenses.emptyText, action: generate }}
        onRowClick={(l) => void navigate(licensePath(l.license_id))}
      />
    </>
  );
}

// Products are those of the catalog, and others that licenses have.
function LicenseFilters({ shown }: { shown: readonly License[] }) {
  const { crm_account_id: crm, product_id: product } = useFilters(filters);
  const setFilters = useSetFilters();
  const products = new Map((useProducts().data?.items ?? []).map((p) => [p.product_id, p.name] as const));
  for (const l of shown) products.set(l.product.id, l.product.name);
  if (product !== undefined && !products.has(product)) products.set(product, product);
  return (
    <UrlFilters
      also={['crm_account_id']}
      filters={[
        { name: 'status', label: text.licenses.status, kind: 'select', options: licenseStatuses.map((s) => ({ value: s, label: shared.status[s] ?? s })) },
        { name: 'product_id', label: text.licenses.product, kind: 'select', options: [...products].map(([value, label]) => ({ value, label })) },
      ]}
    >
      <CustomerSelect w={260} value={crm ?? null} onChange={(value) => setFilters({ crm_account_id: value })} />
    </UrlFilters>
  );
}
