import { ActionIcon, Button, Group, Menu, Text } from '@mantine/core';
import { IconBan, IconDots, IconPlus, IconRefresh } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useList, useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { Restricted } from '../../parts/Restricted';
import { SecretOnce } from '../../parts/SecretOnce';
import { Snippet } from '../../parts/Snippet';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { text as shared } from '../../text/en';
import { settingsText } from '../../text/en-vendors-settings';
import { GenerateKey, RotateKey } from './KeyForms';

const text = settingsText.keys;
type Key = Schemas['Key'];
type Asked = { what: 'rotate' | 'revoke'; key: Key };
type Secret = { title: string; secret: string };

/** The vendor's API keys: generate, rotate with an overlap, revoke. */
export default function Keys() {
  const manages = useMay('manage_keys');
  const [params, setParams] = useSearchParams();
  const [asked, setAsked] = useState<Asked>();
  const [secret, setSecret] = useState<Secret>();
  const list = useList<Key>(['keys'], (query, signal) => api.GET('/api/v1/keys', { params: { query }, signal }));
  const columns = useMemo(() => (manages ? [...facts, actions(setAsked)] : facts), [manages]);
  const showForm = (shown: boolean): void => setParams(shown ? { new: '1' } : {}, { replace: true });
  const close = (): void => setAsked(undefined);
  const generate = <Restricted to="manage_keys"><Button leftSection={<IconPlus size={16} />} onClick={() => showForm(true)}>{text.generate}</Button></Restricted>;
  return (
    <>
      <PageHeader title={text.title} description={text.description} actions={generate} />
      <DataTable<Key> label={text.title} list={list} columns={columns} id={(k) => k.key_id} empty={{ title: text.emptyTitle, text: text.emptyText, action: generate }} />
      <GenerateKey opened={manages && params.has('new')} onClose={() => showForm(false)} onSecret={(s) => { showForm(false); setSecret({ title: text.generated, secret: s }); }} />
      {asked?.what === 'rotate' && <RotateKey apiKey={asked.key} onClose={close} onSecret={(s) => { close(); setSecret({ title: text.rotated, secret: s }); }} />}
      {asked?.what === 'revoke' && <Revoke apiKey={asked.key} onClose={close} />}
      <SecretOnce title={secret?.title ?? ''} label={text.secret} secret={secret?.secret} onClose={() => setSecret(undefined)}>
        <Text size="sm" fw={500}>{text.usage}</Text>
        <Snippet label={text.usage}>{`curl ${window.location.origin}/api/v1/licenses \\\n  -H 'Authorization: Bearer ${secret?.secret ?? ''}'`}</Snippet>
      </SecretOnce>
    </>
  );
}

const facts: readonly Column<Key>[] = [
  { accessor: 'app_name', title: text.name, render: (k) => <><Text size="sm" fw={500}>{k.app_name}</Text><Text size="xs" c="dimmed" className="mono" visibleFrom="sm">{k.key_id}</Text></> },
  { accessor: 'status', title: text.status, render: (k) => <StatusBadge status={k.status} label={text.statuses[k.status]} /> },
  { accessor: 'last_used_at', title: text.used, render: (k) => <When at={k.last_used_at} /> },
  { accessor: 'created_at', title: text.created, wide: true, render: (k) => <When at={k.created_at} /> },
  { accessor: 'expires_at', title: text.expires, wide: true, render: (k) => <When at={k.expires_at} never={text.never} /> },
  { accessor: 'previous_valid_until', title: text.previous, wide: true, render: (k) => <When at={k.previous_valid_until} never="–" /> },
];

function actions(onAsk: (asked: Asked) => void): Column<Key> {
  return {
    accessor: 'actions',
    title: <span className="visually-hidden">{shared.table.actions}</span>,
    width: 60,
    textAlign: 'right',
    render: (key) => key.status !== 'revoked' && (
      <Group justify="flex-end">
        <Menu position="bottom-end">
          <Menu.Target><ActionIcon variant="subtle" color="gray" c="dimmed" aria-label={shared.table.actionsOf(key.app_name)}><IconDots size={18} /></ActionIcon></Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => onAsk({ what: 'rotate', key })}>{text.rotate}</Menu.Item>
            <Menu.Divider />
            <Menu.Item c="var(--portal-bad)" leftSection={<IconBan size={16} />} onClick={() => onAsk({ what: 'revoke', key })}>{text.revoke}</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Group>
    ),
  };
}

function Revoke({ apiKey, onClose }: { apiKey: Key; onClose: () => void }) {
  const revoke = useWrite(() => api.POST('/api/v1/keys/{id}/revoke', { params: { path: { id: apiKey.key_id } }, body: { release_leases: false } }), {
    stale: ['keys'], done: text.revoked(apiKey.app_name), failed: 'self', onSuccess: onClose,
  });
  return (
    <ConfirmByName opened onClose={onClose} title={text.revokeTitle(apiKey.app_name)} name={apiKey.app_name} action={text.revoke} busy={revoke.isPending} error={revoke.error} onConfirm={() => revoke.mutate(undefined)}>
      {text.revokeText}
    </ConfirmByName>
  );
}
