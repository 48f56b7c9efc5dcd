import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { useState, type ReactNode } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { useSession } from '../../api/session';
import { PageHeader } from '../../parts/PageHeader';
import { When } from '../../parts/When';
import { text } from '../../text/en';
import { FactorModal, RemoveFactorModal } from './FactorModal';
import { vendorMember } from './vendor-id';

/** Who one is here, the password and the second factor. */
export default function Account() {
  const { user, vendorId } = useSession().data ?? {};
  if (user === undefined) return null;
  return (
    <>
      <PageHeader title={text.account.title} description={text.account.description} />
      <Stack gap="md" maw={640}>
        <Profile user={user} />
        <Password user={user} vendorId={vendorId ?? ''} />
        <Factor user={user} />
      </Stack>
    </>
  );
}

type User = Schemas['User'];

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack className="card" p="md" gap="sm" component="section" aria-label={title}>
      <Title order={2}>{title}</Title>
      {children}
    </Stack>
  );
}

function Profile({ user }: { user: User }) {
  const rows: [string, ReactNode][] = [
    [text.account.name, user.name],
    [text.account.email, user.email],
    [text.account.role, text.roles[user.role].name],
    [text.account.lastLogin, <When key="last" at={user.last_login_at} />],
  ];
  return (
    <Section title={text.account.profile}>
      <Stack component="dl" gap={6} m={0}>
        {rows.map(([name, value]) => (
          <Group key={name} gap="md" wrap="nowrap" align="baseline">
            <Text component="dt" size="sm" c="dimmed" w={140}>{name}</Text>
            <Text component="dd" size="sm" m={0} style={{ overflowWrap: 'anywhere' }}>{value}</Text>
          </Group>
        ))}
      </Stack>
    </Section>
  );
}

function Password({ user, vendorId }: { user: User; vendorId: string }) {
  const mail = useWrite(() => api.POST('/api/v1/password/reset', { body: { ...vendorMember(vendorId), email: user.email } }), {
    done: text.shell.passwordMailed(user.email),
  });
  return (
    <Section title={text.account.passwordTitle}>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">{text.account.passwordText}</Text>
        <Button variant="default" loading={mail.isPending} onClick={() => mail.mutate(undefined)}>{text.reset.submit}</Button>
      </Group>
    </Section>
  );
}

function Factor({ user }: { user: User }) {
  const [opened, setOpened] = useState<'set' | 'remove'>();
  return (
    <Section title={text.account.factorTitle}>
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm" c="dimmed">{user.totp ? text.account.factorOn : text.account.factorOff}</Text>
        <Button variant="default" flex="none" onClick={() => setOpened(user.totp ? 'remove' : 'set')}>{user.totp ? text.account.factorRemove : text.account.factorSetUp}</Button>
      </Group>
      <FactorModal opened={opened === 'set'} onClose={() => setOpened(undefined)} />
      <RemoveFactorModal opened={opened === 'remove'} onClose={() => setOpened(undefined)} />
    </Section>
  );
}
