import { Group, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';

import { useSession } from '../api/session';
import { text } from '../text/en';

export function usePageTitle(title: string): void {
  const session = useSession().data;
  useDocumentTitle([title, session?.companyName ?? '', session?.branding?.name || text.product].filter((part) => part !== '').join(' · '));
}

/** The page's name (also the document's), what it is for, and its actions. */
export function PageHeader({ title, description, actions }: { title: string; description?: ReactNode; actions?: ReactNode }) {
  usePageTitle(title);
  return (
    <Group justify="space-between" align="flex-start" gap="sm" mb="lg">
      <Stack gap={2} flex={1} miw={200} style={{ overflowWrap: 'anywhere' }}>
        <Title order={1}>{title}</Title>
        {description !== undefined && <Text c="dimmed" size="sm">{description}</Text>}
      </Stack>
      {actions !== undefined && <Group gap="xs">{actions}</Group>}
    </Group>
  );
}
