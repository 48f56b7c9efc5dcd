import { Button, Stack, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useMemo, useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { useList } from '../../api/hooks';
import { useMay } from '../../api/session';
import { formatCount } from '../../format';
import { Clip } from '../../parts/Clip';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { SecretOnce } from '../../parts/SecretOnce';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { site } from '../../site';
import { text as shared } from '../../text/en';
import { webhooksText as text } from '../../text/en-webhooks';
import { Deliveries } from './Deliveries';
import { EndpointActions, EndpointForm } from './EndpointForms';

type Endpoint = Schemas['Webhook'];
type Secret = { title: string; secret: string };

/** Endpoints that are told of events, and what was delivered to them. */
export default function Webhooks() {
  const manages = useMay('manage_settings');
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<Secret>();
  const list = useList<Endpoint>(['webhooks'], (_page, signal) => api.GET('/api/v1/webhooks', { signal }));
  const columns = useMemo(() => (manages ? [...facts, actions((s) => setSecret({ title: text.rotated, secret: s }))] : facts), [manages]);
  const add = manages ? <Button leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)}>{text.add}</Button> : undefined;
  return (
    <>
      <PageHeader title={text.title} description={text.description} actions={add} />
      <Stack gap="xl">
        <DataTable<Endpoint> label={text.title} list={{ ...list, previous: undefined, next: undefined }} columns={columns} id={(e) => e.id} empty={{ title: text.emptyTitle, text: site.name === 'tenant' ? text.emptyTextCustomer : text.emptyText, action: add }} />
        {list.items.length > 0 && <Deliveries endpoints={list.items} />}
      </Stack>
      <EndpointForm opened={adding} onClose={() => setAdding(false)} onSecret={(s) => { setAdding(false); setSecret({ title: text.added, secret: s }); }} />
      <SecretOnce title={secret?.title ?? ''} label={text.secret} secret={secret?.secret} onClose={() => setSecret(undefined)}><Text size="sm" c="dimmed">{text.secretText}</Text></SecretOnce>
    </>
  );
}

const facts: readonly Column<Endpoint>[] = [
  { accessor: 'url', title: text.url, render: (e) => <Clip className="mono" maw={{ base: 152, sm: 440 }}>{e.url}</Clip> },
  { accessor: 'events', title: text.events, wide: true, render: (e) => (e.events.length === 0 ? text.all : <Text size="sm" c="dimmed">{e.events.join(', ')}</Text>) },
  {
    accessor: 'enabled',
    title: text.state,
    render: (e) => <StatusBadge status={e.enabled ? 'on' : 'off'} mood={e.enabled ? 'good' : e.disabled_reason === 'by_user' ? 'quiet' : 'bad'} label={e.enabled ? text.on : (text.reasons[e.disabled_reason ?? ''] ?? text.off)} />,
  },
  { accessor: 'consecutive_failures', title: text.failures, number: true, wide: true, render: (e) => formatCount(e.consecutive_failures) },
  { accessor: 'created_at', title: text.created, wide: true, render: (e) => <When at={e.created_at} /> },
];

function actions(onSecret: (secret: string) => void): Column<Endpoint> {
  return {
    accessor: 'actions',
    title: <span className="visually-hidden">{shared.table.actions}</span>,
    width: 60,
    textAlign: 'right',
    render: (e) => <EndpointActions endpoint={e} onSecret={onSecret} />,
  };
}
