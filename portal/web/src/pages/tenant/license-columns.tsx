import { Anchor, Box, Group, Text } from '@mantine/core';
import { useMemo } from 'react';
import { Link } from 'react-router';

import { useMay } from '../../api/session';
import { formatDay } from '../../format';
import { Clip } from '../../parts/Clip';
import type { Column } from '../../parts/DataTable';
import { PoolUse } from '../../parts/PoolBar';
import { StatusBadge } from '../../parts/StatusBadge';
import { Count, Money } from '../../parts/numbers';
import { tenantText as text } from '../../text/en-tenant';
import { useCostsByLicense, useVendorName, type License } from './data';

export function licensePath(id: string): string {
  return `/licenses/${encodeURIComponent(id)}`;
}

/** Columns of licenses: at home what is used and costs, in the catalog the contract besides. */
export function useLicenseColumns(catalog: boolean): Column<License>[] {
  const vendorName = useVendorName();
  const { of: costs } = useCostsByLicense();
  const seesCosts = useMay('view_costs');
  return useMemo(() => {
    const columns: Column<License>[] = [
      { accessor: 'vendor_id', title: text.licenses.vendor, wide: true, render: (l) => <Clip miw={catalog ? 0 : 164} maw={200}>{vendorName(l.vendor_id)}</Clip> },
      { accessor: 'product_name', title: text.licenses.product, render: (l) => <Product license={l} status={!catalog} vendor={vendorName(l.vendor_id)} /> },
    ];
    if (catalog) columns.push({ accessor: 'status', title: text.licenses.status, wide: true, render: (l) => <StatusBadge status={l.status} /> });
    columns.push(
      { accessor: 'in_use', title: text.licenses.inUse, number: true, render: (l) => <PoolUse pool={l} /> },
      { accessor: 'available', title: text.licenses.available, number: true, wide: true, render: (l) => <Count value={l.available} /> },
    );
    if (seesCosts) {
      const cost = (l: License) => costs.get(l.license_id);
      columns.push(
        { accessor: 'overage', title: text.licenses.overageMonth, number: true, wide: true, render: (l) => <Money amount={cost(l)?.overage_cost ?? null} currency={cost(l)?.currency ?? null} /> },
        { accessor: 'cost', title: text.licenses.cost, number: true, wide: !catalog ? undefined : true, render: (l) => <Money amount={cost(l)?.total ?? null} currency={cost(l)?.currency ?? null} /> },
      );
    }
    if (catalog) columns.push({ accessor: 'end_date', title: text.licenses.until, number: true, wide: true, render: (l) => (l.end_date === null ? <Text span inherit c="dimmed">{text.licenses.openEnd}</Text> : <Text span inherit style={{ whiteSpace: 'nowrap' }}>{formatDay(l.end_date)}</Text>) });
    return columns;
  }, [catalog, costs, seesCosts, vendorName]);
}

function Product({ license, status, vendor }: { license: License; status: boolean; vendor: string }) {
  return (
    <Box miw={{ base: 0, sm: 150 }}>
      <Group gap="xs">
        <Anchor component={Link} to={licensePath(license.license_id)} size="sm" fw={500} style={{ overflowWrap: 'anywhere' }}>{license.product_name || license.product_id}</Anchor>
        {status && license.status !== 'provisioned' && <Text span size="xs"><StatusBadge status={license.status} /></Text>}
      </Group>
      <Text size="xs" c="dimmed" hiddenFrom="sm" style={{ overflowWrap: 'anywhere' }}>{vendor}</Text>
      {!status && <Clip fz="xs" c="dimmed" className="mono" visibleFrom="sm" maw={240}>{license.license_id}</Clip>}
    </Box>
  );
}
