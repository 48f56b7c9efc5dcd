import { Group, Skeleton, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

/** One figure with its name: <Stat label="Active licenses" value={<Count value={38} />} />. */
export function Stat({ label, value, hint, icon, pending = false }: {
  label: string;
  value: ReactNode;
  hint?: ReactNode;
  icon?: ReactNode;
  pending?: boolean;
}) {
  return (
    <Stack className="card" gap={4} p="md">
      <Group justify="space-between" wrap="nowrap" c="dimmed">
        <Text size="sm" c="dimmed">{label}</Text>
        {icon}
      </Group>
      {pending ? <Skeleton h={28} w="50%" /> : <Text fz="1.5rem" lh="28px" fw={600} className="num">{value}</Text>}
      {hint !== undefined && <Text size="xs" c="dimmed" component="div" className="num">{hint}</Text>}
    </Stack>
  );
}
