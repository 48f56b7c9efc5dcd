import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { bindTo, FormProblem } from '../../parts/form';
import { text } from '../../text/en';
import { RoleSelect } from './RoleSelect';

type Invitation = Schemas['Invitation'];

/** Invites somebody: the mail has a link to set a password. */
export function InviteUser({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={text.users.inviteTitle}>
      <Form onClose={onClose} />
    </Modal>
  );
}

function Form({ onClose }: { onClose: () => void }) {
  const form = useForm<Invitation>({ mode: 'uncontrolled', initialValues: { email: '', name: '', role: 'viewer' } });
  const invite = useWrite((body: Invitation) => api.POST('/api/v1/users', { body }), {
    stale: ['users'],
    done: (user) => text.users.invited(user.email),
    failed: 'self',
    onSuccess: onClose,
  });
  const { error } = invite;
  const bind = bindTo(form, error);
  return (
    <form onSubmit={form.onSubmit((values) => invite.mutate(values))}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">{text.users.inviteText}</Text>
        <TextInput data-autofocus label={text.users.name} required withAsterisk={false} maxLength={100} autoComplete="off" key={form.key('name')} {...bind('name')} />
        <TextInput label={text.users.email} type="email" required withAsterisk={false} autoComplete="off" key={form.key('email')} {...bind('email')} />
        <RoleSelect key={form.key('role')} {...bind('role')} />
        <FormProblem error={error} shown={['name', 'email', 'role']} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{text.actions.cancel}</Button>
          <Button type="submit" loading={invite.isPending}>{text.users.invite}</Button>
        </Group>
      </Stack>
    </form>
  );
}
