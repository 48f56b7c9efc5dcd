import { ActionIcon, Button, Group, Menu, Modal, Stack, Text } from '@mantine/core';
import { IconDots, IconPercentage, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';

import { api } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { type Typed } from '../../numbers';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { NumberField } from '../../parts/NumberField';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { adminText } from '../../text/en-admin';
import { formatBasisPoints } from './basis-points';
import type { Vendor } from './data';

const text = adminText.vendors;

/** What an operator may do with a vendor in its present state. */
export function VendorActions({ vendor }: { vendor: Vendor }) {
  const [asked, setAsked] = useState<'suspend' | 'share'>();
  const close = (): void => setAsked(undefined);
  const path = { vendor: vendor.id };
  const suspend = useWrite(() => api.PATCH('/v1/vendors/{vendor}', { params: { path }, body: { status: 'suspended' } }), {
    stale: ['vendors'], failed: 'self', done: text.suspended(vendor.id), onSuccess: close,
  });
  const resume = useWrite(() => api.PATCH('/v1/vendors/{vendor}', { params: { path }, body: { status: 'active' } }), { stale: ['vendors'], done: text.resumed(vendor.id) });
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" c="dimmed" loading={resume.isPending} aria-label={shared.table.actionsOf(vendor.id)}><IconDots size={18} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPercentage size={16} />} onClick={() => setAsked('share')}>{text.share}</Menu.Item>
          {vendor.status === 'suspended' && <Menu.Item leftSection={<IconPlayerPlay size={16} />} onClick={() => resume.mutate(undefined)}>{text.resume}</Menu.Item>}
          {vendor.status === 'active' && <Menu.Item c="var(--portal-bad)" leftSection={<IconPlayerPause size={16} />} onClick={() => setAsked('suspend')}>{text.suspend}</Menu.Item>}
        </Menu.Dropdown>
      </Menu>
      <ConfirmByName
        opened={asked === 'suspend'}
        onClose={close}
        title={text.suspendTitle(vendor.id)}
        name={vendor.id}
        action={text.suspend}
        onConfirm={() => suspend.mutate(undefined)}
        busy={suspend.isPending}
        error={suspend.error}
      >
        {text.suspendText}
      </ConfirmByName>
      <Modal opened={asked === 'share'} onClose={close} title={text.shareTitle(vendor.id)}><ShareForm vendor={vendor.id} onClose={close} /></Modal>
    </>
  );
}

function ShareForm({ vendor, onClose }: { vendor: string; onClose: () => void }) {
  const [percent, setPercent] = useState<Typed>('');
  const set = useWrite((basisPoints: number) => api.PUT('/v1/vendors/{vendor}/revenue-share', { params: { path: { vendor } }, body: { basis_points: basisPoints } }), {
    stale: ['revenue-share'],
    failed: 'self',
    done: ({ basis_points: now }) => text.shareSet(vendor, formatBasisPoints(now)),
    onSuccess: onClose,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!Number.isNaN(percent)) set.mutate(percent === '' ? 0 : Math.round(percent * 100)); // 0: the default
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm">{text.shareText}</Text>
        <NumberField data-autofocus label={text.shareLabel} description={text.shareHint} value={percent} onChange={setPercent} decimals={2} error={set.error?.field('basis_points')} />
        {set.error !== null && <ProblemAlert error={set.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={set.isPending}>{shared.actions.save}</Button>
        </Group>
      </Stack>
    </form>
  );
}
