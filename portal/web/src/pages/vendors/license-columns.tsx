import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';

import { formatCount, formatDay } from '../../format';
import { Clip } from '../../parts/Clip';
import type { Column } from '../../parts/DataTable';
import { Money } from '../../parts/numbers';
import { PoolUse } from '../../parts/PoolBar';
import { StatusBadge } from '../../parts/StatusBadge';
import { vendorText as text } from '../../text/en-vendors';
import type { License } from './data';

export function licensePath(id: string): string {
  return `/licenses/${encodeURIComponent(id)}`;
}

/** A name may be one long word. */
const breaks = { overflowWrap: 'anywhere' } as const;

const customer: Column<License> = {
  accessor: 'customer',
  title: text.licenses.customer,
  render: (l) => (
    <>
      <Anchor component={Link} to={licensePath(l.license_id)} fw={500} size="sm" c="var(--mantine-color-text)" style={breaks}>{l.customer.name}</Anchor>
      <Text size="xs" c="dimmed" hiddenFrom="sm" style={breaks}>{l.product.name}</Text>
    </>
  ),
};
const id: Column<License> = {
  accessor: 'license_id',
  title: text.licenses.id,
  render: (l) => <Named license={l} />,
};
const product: Column<License> = { accessor: 'product', title: text.licenses.product, wide: true, render: (l) => <Text span inherit style={breaks}>{l.product.name}</Text> };
const use: Column<License> = { accessor: 'pool', title: text.licenses.use, number: true, render: (l) => <Seats license={l} /> };
const overage: Column<License> = { accessor: 'this_month', title: text.licenses.overage, number: true, wide: true, render: (l) => <Overage license={l} /> };
const status: Column<License> = { accessor: 'status', title: text.licenses.status, wide: true, render: (l) => <StatusBadge status={l.status} /> };
const until: Column<License> = {
  accessor: 'contract',
  title: text.licenses.until,
  wide: true,
  render: (l) => (l.contract.end_date === null ? <Text span inherit c="dimmed">{text.licenses.openEnd}</Text> : <Text span inherit className="num" style={{ whiteSpace: 'nowrap' }}>{formatDay(l.contract.end_date)}</Text>),
};

/** Licenses as the dashboard has them. */
export const activeColumns: readonly Column<License>[] = [customer, product, use, overage];
/** Licenses with everything that tells one from another. */
export const allColumns: readonly Column<License>[] = [id, { ...customer, wide: true, render: (l) => <Clip maw={240}>{l.customer.name}</Clip> }, status, use, overage, until];
/** Licenses of a customer. */
export const ownColumns: readonly Column<License>[] = [{ ...id, render: (l) => <Named license={l} own /> }, status, use, overage, until];

/** A license's ID above its product; on a phone its customer, unless the page is its own, and its status as well. */
function Named({ license: l, own = false }: { license: License; own?: boolean }) {
  return (
    <>
      <Anchor component={Link} to={licensePath(l.license_id)} className="mono" style={{ whiteSpace: 'nowrap' }}>{l.license_id}</Anchor>
      <Text size="xs" c="dimmed" style={breaks}>{l.product.name}</Text>
      {!own && <Text size="xs" c="dimmed" component="div" hiddenFrom="sm" style={breaks}>{l.customer.name}</Text>}
      <Text size="xs" component="div" hiddenFrom="sm"><StatusBadge status={l.status} /></Text>
    </>
  );
}

/** "44 (€22,000.00)": uses of the running month and what they cost. */
export function Overage({ license }: { license: License }) {
  const charged = license.this_month;
  if (charged === undefined) return <Text span inherit c="dimmed">–</Text>;
  if (charged.overage_checkouts === 0 && charged.overage_cost === 0) return <Text span inherit c="dimmed">0</Text>;
  return (
    <Text span inherit style={{ whiteSpace: 'nowrap' }}>
      {formatCount(charged.overage_checkouts)} (<Money amount={charged.overage_cost} currency={license.entitlement.pricing.currency} />)
    </Text>
  );
}

/** Seats in use of all; of a license that its tenant does not have, all alone. */
export function Seats({ license: { pool, entitlement } }: { license: License }) {
  const total = entitlement.total_licenses;
  if (pool === undefined) return <Text span inherit c="dimmed" className="num">– / {formatCount(total)}</Text>;
  return <PoolUse pool={{ ...pool, total_licenses: total }} />;
}
