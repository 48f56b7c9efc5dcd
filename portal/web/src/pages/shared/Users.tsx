import { Button, Group, Text } from '@mantine/core';
import { IconUserPlus } from '@tabler/icons-react';
import { useMemo } from 'react';
import { useSearchParams } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useList } from '../../api/hooks';
import { useMay, useSession } from '../../api/session';
import { DataTable, type Column } from '../../parts/DataTable';
import { PageHeader } from '../../parts/PageHeader';
import { Restricted } from '../../parts/Restricted';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { text } from '../../text/en';
import { InviteUser } from './InviteUser';
import { UserActions } from './UserActions';

type User = Schemas['User'];

/** The tenant's people: invite, change role, disable, remove. */
export default function Users() {
  const own = useSession().data?.user?.id;
  const manages = useMay('manage_users');
  const [params, setParams] = useSearchParams();
  const list = useList<User>(['users'], (query, signal) => api.GET('/api/v1/users', { params: { query }, signal }));
  const columns = useMemo(() => userColumns(own, manages), [own, manages]);
  const showInvite = (shown: boolean): void =>
    setParams(
      (old) => {
        const now = new URLSearchParams(old);
        if (shown) now.set('invite', '1');
        else now.delete('invite');
        return now;
      },
      { replace: true },
    );
  const invite = (
    <Restricted to="manage_users">
      <Button leftSection={<IconUserPlus size={16} />} onClick={() => showInvite(true)}>{text.users.invite}</Button>
    </Restricted>
  );
  return (
    <>
      <PageHeader title={text.users.title} description={text.users.description} actions={invite} />
      <DataTable<User>
        label={text.users.title}
        list={list}
        columns={columns}
        id={(u) => u.id}
        empty={{ title: text.users.emptyTitle, text: text.users.emptyText, action: invite }}
      />
      <InviteUser opened={manages && params.has('invite')} onClose={() => showInvite(false)} />
    </>
  );
}

function userColumns(own: string | undefined, manages: boolean): Column<User>[] {
  const columns: Column<User>[] = [
    { accessor: 'name', title: text.users.name, render: (u) => <Person user={u} own={u.id === own} /> },
    { accessor: 'role', title: text.users.role, render: (u) => text.roles[u.role].name },
    { accessor: 'status', title: text.users.status, wide: true, render: (u) => <StatusBadge status={u.status} /> },
    { accessor: 'totp', title: text.users.factor, wide: true, render: (u) => <StatusBadge status={u.totp ? 'on' : 'off'} mood={u.totp ? 'good' : 'quiet'} label={u.totp ? text.users.factorOn : text.users.factorOff} /> },
    { accessor: 'last_login_at', title: text.users.lastLogin, wide: true, render: (u) => <When at={u.last_login_at} /> },
  ];
  if (manages) {
    columns.push({
      accessor: 'actions',
      title: <span className="visually-hidden">{text.table.actions}</span>,
      width: 60,
      textAlign: 'right',
      render: (u) => <UserActions user={u} own={u.id === own} />,
    });
  }
  return columns;
}

function Person({ user, own }: { user: User; own: boolean }) {
  return (
    <>
      <Group gap={6} wrap="nowrap">
        <Text size="sm" fw={500} truncate>{user.name}</Text>
        {own && <Text size="xs" c="dimmed">({text.users.you})</Text>}
      </Group>
      <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{user.email}</Text>
    </>
  );
}
