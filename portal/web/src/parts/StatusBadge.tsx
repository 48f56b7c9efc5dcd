import { Box, Group, Text } from '@mantine/core';

import { text } from '../text/en';

type Mood = 'good' | 'warn' | 'bad' | 'quiet';

const moods: Readonly<Record<string, Mood>> = {
  active: 'good',
  provisioned: 'good',
  verified: 'good',
  delivered: 'good',
  alive: 'good',
  linked: 'good',
  invited: 'warn',
  pending: 'warn',
  waiting_for_tenant: 'warn',
  pending_verification: 'warn',
  suspended: 'warn',
  deleting: 'bad',
  revoked: 'bad',
  failed: 'bad',
  blocked: 'bad',
};

/**
 * A state by name, with a dot whose color adds to the word and never stands
 * for it. Names of the API are looked up in text.status.
 */
export function StatusBadge({ status, mood, label }: { status: string; mood?: Mood; label?: string }) {
  const color = `var(--portal-${mood ?? moods[status] ?? 'quiet'})`;
  return (
    <Group gap={6} wrap="nowrap" component="span" display="inline-flex" data-status={status}>
      <Box component="span" w={8} h={8} style={{ borderRadius: 8, background: color, flex: 'none' }} aria-hidden />
      <Text span inherit style={{ whiteSpace: 'nowrap' }}>{label ?? text.status[status] ?? status}</Text>
    </Group>
  );
}
