import { Box, Group, Text } from '@mantine/core';

import { formatCount } from '../format';
import { text } from '../text/en';

export interface Pool {
  total_licenses: number;
  in_use: number;
  commit_in_use: number;
  overage_in_use: number;
  available: number;
}

/** A pool's seats as a bar: commit, then overage, then what is free. */
export function PoolBar({ pool, height = 6 }: { pool: Pool; height?: number }) {
  const all = Math.max(pool.total_licenses, pool.in_use, 1);
  const part = (n: number): string => `${(n / all) * 100}%`;
  return (
    <Box
      h={height}
      role="img"
      aria-label={text.pool.bar(formatCount(pool.commit_in_use), formatCount(pool.overage_in_use), formatCount(pool.available))}
      style={{ display: 'flex', gap: 1, overflow: 'hidden', borderRadius: height / 2, background: 'var(--mantine-color-default-border)' }}
    >
      <Box w={part(pool.commit_in_use)} style={{ background: 'var(--portal-commit)', transition: 'width 150ms' }} />
      <Box w={part(pool.overage_in_use)} style={{ background: 'var(--portal-overage)', transition: 'width 150ms' }} />
    </Box>
  );
}

/** Seats in use of all, as numbers, with a bar beside them where there is room. */
export function PoolUse({ pool }: { pool: Pool }) {
  return (
    <Group gap="sm" wrap="nowrap" justify="flex-end">
      <Box w={72} visibleFrom="sm"><PoolBar pool={pool} /></Box>
      <Text span inherit className="num" miw={56} ta="right" style={{ whiteSpace: 'nowrap' }}>{formatCount(pool.in_use)} / {formatCount(pool.total_licenses)}</Text>
    </Group>
  );
}

/** What the colors of a pool's bar stand for, with their numbers. */
export function PoolLegend({ pool }: { pool: Pool }) {
  const parts: [string, number, string][] = [
    [text.chart.commit, pool.commit_in_use, 'var(--portal-commit)'],
    [text.chart.overage, pool.overage_in_use, 'var(--portal-overage)'],
    [text.pool.free, pool.available, 'var(--mantine-color-default-border)'],
  ];
  return (
    <Group gap="md">
      {parts.map(([name, value, color]) => (
        <Group key={name} gap={6} wrap="nowrap">
          <Box w={10} h={10} aria-hidden style={{ borderRadius: 2, background: color }} />
          <Text size="sm" className="num">{name} <Text span inherit fw={600}>{formatCount(value)}</Text></Text>
        </Group>
      ))}
    </Group>
  );
}
