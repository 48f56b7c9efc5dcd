import { ActionIcon, Button, Group, Menu, Modal, MultiSelect, Stack, TextInput } from '@mantine/core';
import { IconDots, IconEdit, IconPlayerPause, IconPlayerPlay, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import type { Problem } from '../../api/problem';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { FormProblem } from '../../parts/form';
import { site } from '../../site';
import { text as shared } from '../../text/en';
import { webhooksText as text } from '../../text/en-webhooks';

type Endpoint = Schemas['Webhook'];
type Kind = Schemas['EventKind'];

// What an account is told of (docs/webhooks.md).
const ofBoth: readonly Kind[] = ['license.provisioned', 'license.amended', 'license.suspended', 'license.resumed', 'license.revoked', 'user.created', 'user.removed'];
const kinds: readonly Kind[] = site.name === 'tenant'
  ? [...ofBoth, 'overage.warning']
  : [...ofBoth, 'license.expired', 'license.renewed', 'customer.linked', 'customer.blocked', 'invoice.issued', 'invoice.voided'];
const stale = ['webhooks', 'deliveries'] as const;

export function EndpointForm({ opened, onClose, onSecret }: { opened: boolean; onClose: () => void; onSecret: (secret: string) => void }) {
  return <Modal opened={opened} onClose={onClose} title={text.addTitle}><Add onClose={onClose} onSecret={onSecret} /></Modal>;
}

function Add({ onClose, onSecret }: { onClose: () => void; onSecret: (secret: string) => void }) {
  const add = useWrite((body: { url: string; events: Kind[] }) => api.POST('/api/v1/webhooks', { body }), { stale, failed: 'self', onSuccess: (made) => onSecret(made.secret) });
  return <Fields was={{ url: '', events: [] }} action={text.add} busy={add.isPending} error={add.error} onClose={onClose} onSubmit={(body) => add.mutate(body)} />;
}

function Change({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const change = useWrite((body: { url: string; events: Kind[] }) => api.PATCH('/api/v1/webhooks/{id}', { params: { path: { id: endpoint.id } }, body }), {
    stale, done: text.changed, failed: 'self', onSuccess: onClose,
  });
  return <Fields was={endpoint} action={shared.actions.save} busy={change.isPending} error={change.error} onClose={onClose} onSubmit={(body) => change.mutate(body)} />;
}

function Fields({ was, action, busy, error, onClose, onSubmit }: {
  was: { url: string; events: Kind[] };
  action: string;
  busy: boolean;
  error: Problem | null;
  onClose: () => void;
  onSubmit: (body: { url: string; events: Kind[] }) => void;
}) {
  const [url, setUrl] = useState(was.url);
  const [events, setEvents] = useState<Kind[]>(was.events);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSubmit({ url: url.trim(), events });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput data-autofocus type="url" label={text.url} description={text.urlHint} required withAsterisk={false} maxLength={2048} autoComplete="off" value={url} error={error?.field('url')} onChange={(e) => setUrl(e.currentTarget.value)} />
        <MultiSelect label={text.events} description={text.eventsHint} data={[...kinds]} value={events} error={error?.field('events')} onChange={(chosen) => setEvents(kinds.filter((k) => chosen.includes(k)))} />
        <FormProblem error={error} shown={['url', 'events']} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={busy}>{action}</Button>
        </Group>
      </Stack>
    </form>
  );
}

type Question = 'edit' | 'rotate' | 'remove';

export function EndpointActions({ endpoint, onSecret }: { endpoint: Endpoint; onSecret: (secret: string) => void }) {
  const [asked, setAsked] = useState<Question>();
  const close = (): void => setAsked(undefined);
  const path = { params: { path: { id: endpoint.id } } };
  const enable = useWrite((enabled: boolean) => api.PATCH('/api/v1/webhooks/{id}', { ...path, body: { enabled } }), { stale, done: text.changed });
  const rotate = useWrite(() => api.POST('/api/v1/webhooks/{id}/rotate', path), { stale, failed: 'self', onSuccess: (made) => { close(); onSecret(made.secret); } });
  const remove = useWrite(() => api.DELETE('/api/v1/webhooks/{id}', path), { stale, done: text.removed, failed: 'self', onSuccess: close });
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target><ActionIcon variant="subtle" color="gray" c="dimmed" loading={enable.isPending} aria-label={shared.table.actionsOf(endpoint.url)}><IconDots size={18} /></ActionIcon></Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconEdit size={16} />} onClick={() => setAsked('edit')}>{text.edit}</Menu.Item>
          <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => setAsked('rotate')}>{text.rotate}</Menu.Item>
          {endpoint.enabled ? (
            <Menu.Item leftSection={<IconPlayerPause size={16} />} onClick={() => enable.mutate(false)}>{text.disable}</Menu.Item>
          ) : (
            <Menu.Item leftSection={<IconPlayerPlay size={16} />} onClick={() => enable.mutate(true)}>{text.enable}</Menu.Item>
          )}
          <Menu.Divider />
          <Menu.Item c="var(--portal-bad)" leftSection={<IconTrash size={16} />} onClick={() => setAsked('remove')}>{text.remove}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={asked === 'edit'} onClose={close} title={text.editTitle}><Change endpoint={endpoint} onClose={close} /></Modal>
      <ConfirmByName opened={asked === 'rotate'} onClose={close} title={text.rotateTitle} action={text.rotate} danger={false} busy={rotate.isPending} error={rotate.error} onConfirm={() => rotate.mutate(undefined)}>
        {text.rotateText}
      </ConfirmByName>
      <ConfirmByName opened={asked === 'remove'} onClose={close} title={text.removeTitle} name={endpoint.url} action={text.remove} busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate(undefined)}>
        {text.removeText}
      </ConfirmByName>
    </>
  );
}
