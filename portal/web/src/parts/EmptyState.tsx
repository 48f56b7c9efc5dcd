import { Stack, Text, ThemeIcon, Title } from '@mantine/core';
import { IconInbox } from '@tabler/icons-react';
import type { ReactNode } from 'react';

/** Says what would be here, and what to do so that something is. `order` is that of its heading: 1 where it is the whole page. */
export function EmptyState({ title, children, action, icon, order = 2 }: { title: string; children: ReactNode; action?: ReactNode; icon?: ReactNode; order?: 1 | 2 }) {
  return (
    <Stack align="center" gap="xs" py={48} px="md" ta="center">
      <ThemeIcon variant="default" size={44} radius="xl" aria-hidden>{icon ?? <IconInbox size={22} stroke={1.5} />}</ThemeIcon>
      <Title order={order} size="h3">{title}</Title>
      <Text c="dimmed" size="sm" maw={420}>{children}</Text>
      {action}
    </Stack>
  );
}
