import { Text } from '@mantine/core';

import { api, type Schemas } from '../../api/client';
import { useApi } from '../../api/hooks';
import { formatTime, formatUTC } from '../../format';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { Count } from '../../parts/numbers';
import { adminText } from '../../text/en-admin';
import { wholeList } from './whole-list';

const text = adminText.refusals;
const refreshMillis = 10_000;

type Refusal = Schemas['RefusalPage']['items'][number];

/** Refusals that stand in no audit log: of strangers, and for the rate. */
export default function Refusals() {
  const query = useApi(['refusals'], (signal) => api.GET('/v1/refusals', { signal }), { refetchInterval: refreshMillis });
  return (
    <>
      <PageHeader title={text.title} description={text.description} />
      <DataTable<Refusal> label={text.title} list={wholeList(query, (p) => p.items)} columns={columns} id={(r) => `${r.minute} ${r.layer} ${r.ip_address}`} empty={{ title: text.emptyTitle, text: text.emptyText }} />
    </>
  );
}

const columns: readonly Column<Refusal>[] = [
  { accessor: 'minute', title: text.minute, render: (r) => <time dateTime={r.minute} className="num" title={formatUTC(r.minute)}>{formatTime(r.minute)}</time> },
  { accessor: 'layer', title: text.layer, render: (r) => text.layers[r.layer] },
  { accessor: 'ip_address', title: text.address, render: (r) => (r.ip_address === 'other' ? <Text span inherit c="dimmed">{text.other}</Text> : <span className="mono">{r.ip_address}</span>) },
  { accessor: 'count', title: text.count, number: true, render: (r) => <Count value={r.count} /> },
];
