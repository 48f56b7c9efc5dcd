import { Text } from '@mantine/core';
import { useMemo } from 'react';
import { useNavigate } from 'react-router';

import { DataTable } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { UrlFilters, useFilters, type Filter } from '../../parts/UrlFilters';
import { text as shared } from '../../text/en';
import { tenantText as text } from '../../text/en-tenant';
import { useLicenses, useVendorName, type License, type LicenseStatus } from './data';
import { licensePath, useLicenseColumns } from './license-columns';
import { noLicenses } from './no-licenses';
import { useShownList } from './shown-list';

const filterNames = ['q', 'vendor', 'status'] as const;
const statuses: readonly LicenseStatus[] = ['provisioned', 'suspended', 'expired', 'revoked'];
const none: readonly License[] = [];

/** All licenses over all vendors. */
export default function Licenses() {
  const navigate = useNavigate();
  const licenses = useLicenses();
  const vendorName = useVendorName();
  const { q, vendor, status } = useFilters(filterNames);
  const all = licenses.data?.items ?? none;
  const shown = useMemo(() => {
    const wanted = q?.trim().toLowerCase() ?? '';
    return all.filter((l) =>
      (vendor === undefined || l.vendor_id === vendor) &&
      (status === undefined || l.status === status) &&
      [l.product_name, l.product_id, l.license_id].some((s) => s.toLowerCase().includes(wanted)));
  }, [all, q, vendor, status]);
  const filters: Filter[] = [
    { name: 'q', label: text.licenses.search, kind: 'text' },
    { name: 'vendor', label: text.licenses.vendor, kind: 'select', options: [...new Set(all.map((l) => l.vendor_id))].map((id) => ({ value: id, label: vendorName(id) })) },
    { name: 'status', label: text.licenses.status, kind: 'select', options: statuses.map((s) => ({ value: s, label: shared.status[s] ?? s })) },
  ];
  return (
    <>
      <PageHeader title={text.licenses.title} description={text.licenses.description} />
      <UrlFilters filters={filters} />
      <DataTable<License>
        label={text.licenses.title}
        list={useShownList(licenses, shown)}
        columns={useLicenseColumns(true)}
        id={(l) => l.license_id}
        filters={filterNames}
        empty={noLicenses}
        onRowClick={(l) => void navigate(licensePath(l.license_id))}
      />
      {licenses.data?.more === true && <Text size="sm" c="dimmed" mt="sm">{text.licenses.more}</Text>}
    </>
  );
}
