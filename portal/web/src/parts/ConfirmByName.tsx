import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState, type FormEvent, type ReactNode } from 'react';

import type { Problem } from '../api/problem';
import { text } from '../text/en';
import { ProblemAlert } from './ProblemAlert';

interface Props {
  opened: boolean;
  onClose: () => void;
  title: string;
  /** What happens, and what stays. */
  children: ReactNode;
  /** What is to be typed. Left out: a plain question. */
  name?: string;
  action: string;
  onConfirm: () => void;
  busy?: boolean;
  error?: Problem | null;
  danger?: boolean;
}

/** Asks before something is done; what destroys is confirmed by typing its name. */
export function ConfirmByName({ opened, onClose, title, ...rest }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} title={title}>
      <Question onClose={onClose} {...rest} />
    </Modal>
  );
}

function Question({ onClose, children, name, action, onConfirm, busy, error, danger = true }: Omit<Props, 'opened' | 'title'>) {
  const [typed, setTyped] = useState('');
  const [former] = useState(error); // of the last time this was asked
  const ready = name === undefined || typed.trim() === name;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (ready) onConfirm();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm" component="div">{children}</Text>
        {name !== undefined && (
          <TextInput data-autofocus label={text.confirm.typeName(name)} value={typed} autoComplete="off" spellCheck={false} onChange={(e) => setTyped(e.currentTarget.value)} />
        )}
        {error && error !== former && <ProblemAlert error={error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{text.actions.cancel}</Button>
          <Button type="submit" color={danger ? 'red.9' : undefined} disabled={!ready} loading={busy}>{action}</Button>
        </Group>
      </Stack>
    </form>
  );
}
