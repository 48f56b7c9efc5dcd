import { Box, Center, Group, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

import { useLoginWays } from '../../api/login-ways';
import { Logo } from '../../app/Logo';
import { SchemeSwitch } from '../../app/SchemeSwitch';
import { usePageTitle } from '../../parts/PageHeader';
import { text } from '../../text/en';

/** A page without shell: one card in the middle, such as the log-in. */
export function OpenPage({ title, description, children, width = 420 }: {
  title: string;
  description?: ReactNode;
  children: ReactNode;
  width?: number;
}) {
  usePageTitle(title);
  const brand = useLoginWays().data?.branding; // a white-label host has its vendor's
  return (
    <Box mih="100vh" style={{ display: 'flex', flexDirection: 'column' }}>
      <Group component="header" justify="space-between" p="md">
        <Group gap="sm"><Logo brand={brand} name={brand?.name} /><Text fw={600}>{brand?.name || text.product}</Text></Group>
        <SchemeSwitch />
      </Group>
      <Center component="main" flex={1} p="md" pb={96}>
        <Stack className="card" w="100%" maw={width} p={{ base: 'md', xs: 'xl' }} gap="md">
          <Stack gap={4}>
            <Title order={1}>{title}</Title>
            {description !== undefined && <Text size="sm" c="dimmed">{description}</Text>}
          </Stack>
          {children}
        </Stack>
      </Center>
    </Box>
  );
}
