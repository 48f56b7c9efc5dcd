import { Avatar, Menu, Text, UnstyledButton } from '@mantine/core';
import { IconLogout, IconUserCircle } from '@tabler/icons-react';
import { Link } from 'react-router';

import { notifyFailure } from '../api/hooks';
import { useSession } from '../api/session';
import { text } from '../text/en';
import { logOut } from './log-out';

export function UserMenu() {
  const user = useSession().data?.user;
  const name = user?.name ?? text.sites.admin;
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton aria-label={text.shell.accountMenu(name)} style={{ borderRadius: '50%' }}>
          <Avatar size={34} radius="xl" name={name} color="accent" variant="filled" alt="" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {user !== undefined && (
          <>
            <Menu.Label>
              <Text size="sm" fw={600} c="var(--mantine-color-text)" truncate>{user.name}</Text>
              <Text size="xs" truncate>{user.email}</Text>
            </Menu.Label>
            <Menu.Item component={Link} to="/account" leftSection={<IconUserCircle size={16} />}>{text.shell.account}</Menu.Item>
            <Menu.Divider />
          </>
        )}
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void logOut().catch(notifyFailure)}>{text.shell.logout}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
