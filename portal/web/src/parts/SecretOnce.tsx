import { Alert, Button, Group, Modal, Stack } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import type { ReactNode } from 'react';

import { text } from '../text/en';
import { Snippet } from './Snippet';

/**
 * A secret that nobody can show again. It closes by its button alone, not by
 * Esc or a click beside it.
 */
export function SecretOnce({ title, label, secret, onClose, children }: {
  title: string;
  label: string;
  secret: string | undefined;
  onClose: () => void;
  children?: ReactNode;
}) {
  return (
    <Modal opened={secret !== undefined} onClose={onClose} title={title} size="lg" closeOnEscape={false} closeOnClickOutside={false} withCloseButton={false}>
      <Stack gap="md">
        <Alert color="yellow" variant="outline" icon={<IconKey />}>{text.secret.once}</Alert>
        <Snippet label={label}>{secret ?? ''}</Snippet>
        {children}
        <Group justify="flex-end"><Button onClick={onClose}>{text.secret.kept}</Button></Group>
      </Stack>
    </Modal>
  );
}
