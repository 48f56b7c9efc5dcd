import { Button, Drawer, Text, TextInput, UnstyledButton } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useMemo, useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { useList, type Page } from '../../api/hooks';
import type { Answer } from '../../api/problem';
import { formatCount, formatTime, formatUTC } from '../../format';
import { Clip } from '../../parts/Clip';
import { DataTable, type Column } from '../../parts/DataTable';
import { DownloadButton } from '../../parts/DownloadButton';
import { Facts } from '../../parts/Facts';
import { PageHeader } from '../../parts/PageHeader';
import { StatusBadge } from '../../parts/StatusBadge';
import { UrlFilters, useFilters, useSetFilters, type Filter } from '../../parts/UrlFilters';
import { When, useNow } from '../../parts/When';
import { auditText as text } from '../../text/en-tenant';
import { AuditChain } from './AuditChain';
import { useAllKeys } from './data';

type Entry = Schemas['Audit'];

const names = ['from', 'to', 'user', 'key_id', 'result'] as const;
// What an application may be refused with; any code can stand in the URL.
const results = [
  'success', 'license_unavailable', 'overage_max_exceeded', 'overage_declined', 'overage_cap_reached', 'rate_limited', 'missing_scope',
  'hostname_not_allowed', 'ip_not_allowed', 'key_expired', 'key_revoked', 'product_not_found', 'version_not_allowed', 'license_not_active', 'lease_expired', 'lease_released',
];

/** The audit log: filters in the URL, every record's details, CSV and the chain's proof. */
export default function Audit() {
  const set = useFilters(names);
  const [opened, setOpened] = useState<Entry>();
  const [more, setMore] = useState(false);
  const keys = useAllKeys();
  const query = useMemo(() => toQuery(set), [set]);
  const list = useList<Entry>(['audit', query], (page, signal) => api.GET('/api/v1/audit', { params: { query: { ...query, ...page, order: 'desc' } }, signal }) as Promise<Answer<Page<Entry>>>);
  const keyName = useMemo(() => {
    const apps = new Map((keys.data ?? []).map((k) => [k.key_id, k.app_name] as const));
    return (id: string): string => apps.get(id) ?? id;
  }, [keys.data]);
  const download = async () => {
    const answer = await api.GET('/api/v1/audit', { params: { query }, headers: { Accept: 'text/csv' }, parseAs: 'blob' });
    setMore(answer.response.headers.has('Link'));
    return answer;
  };
  const filters: Filter[] = [
    { name: 'user', label: text.userFilter, kind: 'text' },
    { name: 'key_id', label: text.key, kind: 'select', options: (keys.data ?? []).map((k) => ({ value: k.key_id, label: k.app_name || k.key_id })) },
    { name: 'result', label: text.result, kind: 'select', options: results.map((r) => ({ value: r, label: r === 'success' ? text.success : r })) },
  ];
  return (
    <>
      <PageHeader
        title={text.title}
        description={text.description}
        actions={
          <>
            <AuditChain />
            <DownloadButton variant="default" leftSection={<IconDownload size={16} />} name="audit.csv" read={download}>{text.download}</DownloadButton>
          </>
        }
      />
      {more && <Text size="sm" c="var(--portal-warn)" mb="sm">{text.downloadPart(formatCount(text.csvRecords))}</Text>}
      <UrlFilters filters={filters} also={['from', 'to']}><Times /></UrlFilters>
      <DataTable<Entry>
        label={text.title}
        list={list}
        columns={useMemo(() => auditColumns(keyName, setOpened), [keyName])}
        id={(e) => String(e.sequence)}
        filters={names}
        empty={{ title: text.emptyTitle, text: text.emptyText }}
        onRowClick={setOpened}
      />
      <Drawer opened={opened !== undefined} onClose={() => setOpened(undefined)} position="right" title={opened && text.detail(formatCount(opened.sequence))}>
        {opened !== undefined && <Detail entry={opened} keyName={keyName} />}
      </Drawer>
    </>
  );
}

function valid(at: string | undefined): at is string {
  return at !== undefined && !Number.isNaN(Date.parse(at));
}

/** Times in the URL are UTC; a field of the browser has the reader's clock. */
function toQuery({ from, to, ...rest }: Partial<Record<(typeof names)[number], string>>) {
  return { ...rest, ...(valid(from) ? { from: new Date(from).toISOString() } : {}), ...(valid(to) ? { to: new Date(to).toISOString() } : {}) };
}

/** YYYY-MM-DDTHH:MM on the reader's clock. */
function toLocal(at: string | undefined): string {
  if (!valid(at)) return '';
  const d = new Date(at);
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const hourMillis = 3_600_000;

function Times() {
  const { from, to } = useFilters(['from', 'to']);
  const now = useNow();
  const set = useSetFilters();
  const put = (name: 'from' | 'to') => (local: string): void => set({ [name]: local === '' ? null : new Date(local).toISOString() });
  const since = (at: number): void => set({ from: new Date(at).toISOString(), to: null });
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  return (
    <>
      <TextInput size="sm" w={200} type="datetime-local" label={text.from} value={toLocal(from)} onChange={(e) => put('from')(e.currentTarget.value)} />
      <TextInput size="sm" w={200} type="datetime-local" label={text.to} value={toLocal(to)} onChange={(e) => put('to')(e.currentTarget.value)} />
      <Button.Group>
        <Button size="sm" variant="default" onClick={() => since(now - hourMillis)}>{text.ranges.hour}</Button>
        <Button size="sm" variant="default" onClick={() => since(midnight)}>{text.ranges.day}</Button>
      </Button.Group>
    </>
  );
}

function Result({ result }: { result: string }) {
  return <StatusBadge status={result} mood={result === 'success' ? 'good' : 'bad'} label={result === 'success' ? text.success : result} />;
}

function auditColumns(keyName: (id: string) => string, open: (entry: Entry) => void): Column<Entry>[] {
  return [
    { accessor: 'timestamp', title: text.time, render: (e) => <When at={e.timestamp} /> },
    { accessor: 'action', title: text.action, render: (e) => <Action entry={e} open={open} /> },
    { accessor: 'result', title: text.result, wide: true, render: (e) => <Result result={e.result} /> },
    { accessor: 'user', title: text.user, wide: true, render: (e) => <Clip maw={200}>{e.user || e.actor}</Clip> },
    { accessor: 'product', title: text.product, wide: true, render: (e) => <Clip maw={176}>{e.product}</Clip> },
    { accessor: 'api_key_id', title: text.key, wide: true, render: (e) => <Clip maw={120}>{keyName(e.api_key_id)}</Clip> },
    { accessor: 'ip_address', title: text.where, wide: true, render: (e) => <Where entry={e} /> },
  ];
}

function Action({ entry, open }: { entry: Entry; open: (entry: Entry) => void }) {
  return (
    <>
      <UnstyledButton fz="sm" fw={500} style={{ whiteSpace: 'nowrap' }} onClick={(event) => { event.stopPropagation(); open(entry); }}>{text.actions[entry.action] ?? entry.action}</UnstyledButton>
      <Text size="xs" component="div" hiddenFrom="sm"><Result result={entry.result} /></Text>
      <Clip size="xs" c="dimmed" hiddenFrom="sm" maw={200}>{entry.user || entry.actor}</Clip>
    </>
  );
}

function Where({ entry }: { entry: Entry }) {
  return (
    <>
      {entry.hostname !== '' && <Clip maw={200}>{entry.hostname}</Clip>}
      <Text size={entry.hostname === '' ? 'sm' : 'xs'} c={entry.hostname === '' ? undefined : 'dimmed'} className="num">{entry.ip_address}</Text>
    </>
  );
}

function some(value: string | null): string | undefined {
  return value === null || value === '' ? undefined : value;
}

function Detail({ entry: e, keyName }: { entry: Entry; keyName: (id: string) => string }) {
  const mono = (value: string | null) => (some(value) === undefined ? undefined : <span className="mono">{value}</span>);
  return (
    <Facts
      title={text.actions[e.action] ?? e.action}
      facts={[
        [text.result, <Result key="r" result={e.result} />],
        [text.time, e.timestamp === null ? undefined : formatTime(e.timestamp)],
        [text.utc, e.timestamp === null ? undefined : formatUTC(e.timestamp)],
        [text.user, some(e.user)],
        [text.actor, some(e.actor)],
        [text.key, some(e.api_key_id) === undefined ? undefined : <>{keyName(e.api_key_id)} <span className="mono">{e.api_key_id}</span></>],
        [text.product, some(e.product)],
        [text.license, mono(e.license_id)],
        [text.lease, mono(e.lease_id)],
        [text.seats, e.count === 0 ? undefined : formatCount(e.count)],
        [text.overage, e.overage_count === 0 ? undefined : formatCount(e.overage_count)],
        [text.host, some(e.hostname)],
        [text.address, some(e.ip_address)],
        [text.library, some(e.lib_version)],
        [text.sequence, formatCount(e.sequence)],
      ]}
    />
  );
}
