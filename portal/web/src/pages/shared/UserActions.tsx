import { ActionIcon, Button, Group, Menu, Modal, Stack, Text } from '@mantine/core';
import { IconDots, IconPlayerPause, IconPlayerPlay, IconShieldOff, IconTrash, IconUserEdit } from '@tabler/icons-react';
import { useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text } from '../../text/en';
import { RoleSelect } from './RoleSelect';

type User = Schemas['User'];
type Change = Schemas['UserChange'];
type Question = 'role' | 'factor' | 'remove';

function useChange(user: User, done: (changed: User) => string, onSuccess?: () => void) {
  return useWrite((body: Change) => api.PATCH('/api/v1/users/{id}', { params: { path: { id: user.id } }, body }), {
    stale: ['users'],
    done,
    failed: onSuccess === undefined ? 'notify' : 'self',
    onSuccess,
  });
}

/** What may be done to a user. Nobody does it to themselves, and only owners to owners. */
export function UserActions({ user, own }: { user: User; own: boolean }) {
  const ownersToo = useMay('manage_owners');
  const [asked, setAsked] = useState<Question>();
  const close = (): void => setAsked(undefined);
  const setStatus = useChange(user, (u) => (u.status === 'disabled' ? text.users.disabled(u.name) : text.users.enabled(u.name)));
  if (own || (user.role === 'owner' && !ownersToo)) return null;
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" c="dimmed" loading={setStatus.isPending} aria-label={text.table.actionsOf(user.name)}><IconDots size={18} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconUserEdit size={16} />} onClick={() => setAsked('role')}>{text.users.changeRole}</Menu.Item>
          {user.totp && <Menu.Item leftSection={<IconShieldOff size={16} />} onClick={() => setAsked('factor')}>{text.users.resetFactor}</Menu.Item>}
          {user.status === 'active' && <Menu.Item leftSection={<IconPlayerPause size={16} />} onClick={() => setStatus.mutate({ status: 'disabled' })}>{text.users.disable}</Menu.Item>}
          {user.status === 'disabled' && <Menu.Item leftSection={<IconPlayerPlay size={16} />} onClick={() => setStatus.mutate({ status: 'active' })}>{text.users.enable}</Menu.Item>}
          <Menu.Divider />
          <Menu.Item c="var(--portal-bad)" leftSection={<IconTrash size={16} />} onClick={() => setAsked('remove')}>{text.users.remove}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={asked === 'role'} onClose={close} title={text.users.changeRoleTitle(user.name)}><ChangeRole user={user} onClose={close} /></Modal>
      <ResetFactor user={user} opened={asked === 'factor'} onClose={close} />
      <Remove user={user} opened={asked === 'remove'} onClose={close} />
    </>
  );
}

function ChangeRole({ user, onClose }: { user: User; onClose: () => void }) {
  const [role, setRole] = useState(user.role);
  const change = useChange(user, (u) => text.users.roleChanged(u.name, text.roles[u.role].name), onClose);
  return (
    <form onSubmit={(e) => { e.preventDefault(); change.mutate({ role }); }}>
      <Stack gap="md">
        <RoleSelect value={role} onChange={setRole} />
        <Text size="sm" c="dimmed">{text.users.changeRoleText}</Text>
        {change.error !== null && <ProblemAlert error={change.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{text.actions.cancel}</Button>
          <Button type="submit" loading={change.isPending} disabled={role === user.role}>{text.users.changeRole}</Button>
        </Group>
      </Stack>
    </form>
  );
}

interface DialogProps {
  user: User;
  opened: boolean;
  onClose: () => void;
}

function ResetFactor({ user, opened, onClose }: DialogProps) {
  const reset = useChange(user, (u) => text.users.factorReset(u.name), onClose);
  return (
    <ConfirmByName opened={opened} onClose={onClose} title={text.users.resetFactorTitle(user.name)} action={text.users.resetFactor} busy={reset.isPending} error={reset.error} onConfirm={() => reset.mutate({ totp: false })}>
      {text.users.resetFactorText}
    </ConfirmByName>
  );
}

function Remove({ user, opened, onClose }: DialogProps) {
  const remove = useWrite(() => api.DELETE('/api/v1/users/{id}', { params: { path: { id: user.id } } }), {
    stale: ['users'],
    done: text.users.removed(user.name),
    failed: 'self',
    onSuccess: onClose,
  });
  return (
    <ConfirmByName opened={opened} onClose={onClose} title={text.users.removeTitle(user.name)} name={user.email} action={text.users.remove} busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate(undefined)}>
      {text.users.removeText}
    </ConfirmByName>
  );
}
