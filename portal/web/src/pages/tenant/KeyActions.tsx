import { ActionIcon, Button, Checkbox, Group, Menu, Modal, Select, Stack, Text } from '@mantine/core';
import { IconAdjustments, IconDots, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import type { Answer } from '../../api/problem';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { keysText as text } from '../../text/en-tenant';
import { areRates, RestrictionFields, toRestrictions, type RestrictionValues } from './RestrictionFields';
import type { Key } from './data';

type Made = Schemas['GeneratedKey'];

function nameOf(key: Key): string {
  return key.app_name || key.key_id;
}

/** What may be done to a key. A revoked one stays as it is. */
export function KeyActions({ apiKey, onRotated }: { apiKey: Key; onRotated: (made: Made) => void }) {
  const [asked, setAsked] = useState<'restrict' | 'rotate' | 'revoke'>();
  const close = (): void => setAsked(undefined);
  if (apiKey.status === 'revoked') return null;
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" c="dimmed" aria-label={shared.table.actionsOf(nameOf(apiKey))}><IconDots size={18} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconAdjustments size={16} />} onClick={() => setAsked('restrict')}>{text.restrict}</Menu.Item>
          <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => setAsked('rotate')}>{text.rotate}</Menu.Item>
          <Menu.Divider />
          <Menu.Item c="var(--portal-bad)" leftSection={<IconTrash size={16} />} onClick={() => setAsked('revoke')}>{text.revoke}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={asked === 'restrict'} onClose={close} title={text.restrictTitle(nameOf(apiKey))} size="lg"><Restrict apiKey={apiKey} onClose={close} /></Modal>
      {asked === 'rotate' && <Rotate apiKey={apiKey} onClose={close} onRotated={onRotated} />}
      {asked === 'revoke' && <Revoke apiKey={apiKey} onClose={close} />}
    </>
  );
}

function Restrict({ apiKey, onClose }: { apiKey: Key; onClose: () => void }) {
  const [values, setValues] = useState<RestrictionValues>({
    hostnames: apiKey.allowed_hostnames,
    ranges: apiKey.allowed_ip_ranges,
    perMinute: apiKey.checkouts_per_minute ?? '',
    perHour: apiKey.requests_per_hour ?? '',
  });
  const save = useWrite((body: Schemas['Restrictions']) => api.POST('/api/v1/keys/{id}/restrictions', { params: { path: { id: apiKey.key_id } }, body }), {
    stale: ['keys'],
    done: text.restricted(nameOf(apiKey)),
    failed: 'self',
    onSuccess: onClose,
  });
  return (
    <form noValidate onSubmit={(e) => { e.preventDefault(); if (areRates(values)) save.mutate(toRestrictions(values)); }}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">{text.restrictText}</Text>
        <RestrictionFields values={values} onChange={(change) => setValues({ ...values, ...change })} error={save.error} />
        {save.error !== null && <ProblemAlert error={save.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={save.isPending}>{shared.actions.save}</Button>
        </Group>
      </Stack>
    </form>
  );
}

function Rotate({ apiKey, onClose, onRotated }: { apiKey: Key; onClose: () => void; onRotated: (made: Made) => void }) {
  const [overlap, setOverlap] = useState<string>(text.overlaps[0][0]);
  const rotate = useWrite(
    (seconds: number) => api.POST('/api/v1/keys/{id}/rotate', { params: { path: { id: apiKey.key_id } }, body: { overlap_seconds: seconds } }) as Promise<Answer<Made>>,
    {
      stale: ['keys'],
      failed: 'self',
      onSuccess: (made) => {
        onClose();
        onRotated(made);
      },
    },
  );
  return (
    <ConfirmByName opened onClose={onClose} title={text.rotateTitle(nameOf(apiKey))} action={text.rotate} danger={false} busy={rotate.isPending} error={rotate.error} onConfirm={() => rotate.mutate(Number(overlap))}>
      <Stack gap="md">
        <Text size="sm">{text.rotateText}</Text>
        <Select label={text.overlap} allowDeselect={false} value={overlap} onChange={(v) => setOverlap(v ?? text.overlaps[0][0])} data={text.overlaps.map(([value, label]) => ({ value, label }))} />
      </Stack>
    </ConfirmByName>
  );
}

function Revoke({ apiKey, onClose }: { apiKey: Key; onClose: () => void }) {
  const [release, setRelease] = useState(false);
  const revoke = useWrite((release_leases: boolean) => api.POST('/api/v1/keys/{id}/revoke', { params: { path: { id: apiKey.key_id } }, body: { release_leases } }), {
    stale: ['keys', 'leases', 'licenses', 'license'],
    done: text.revoked(nameOf(apiKey)),
    failed: 'self',
    onSuccess: onClose,
  });
  return (
    <ConfirmByName opened onClose={onClose} title={text.revokeTitle(nameOf(apiKey))} name={nameOf(apiKey)} action={text.revoke} busy={revoke.isPending} error={revoke.error} onConfirm={() => revoke.mutate(release)}>
      <Stack gap="md">
        <Text size="sm">{text.revokeText}</Text>
        <Checkbox checked={release} onChange={(e) => setRelease(e.currentTarget.checked)} label={text.releaseLeases} description={text.releaseLeasesHint} />
      </Stack>
    </ConfirmByName>
  );
}
