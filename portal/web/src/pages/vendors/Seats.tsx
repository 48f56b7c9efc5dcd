import { Box, Group, Text } from '@mantine/core';

import { formatCount } from '../../format';
import { vendorText as text } from '../../text/en-vendors';
import type { License } from './data';

/** Seats in use of all, with a bar: commit, then overage, then what is free. */
export function Seats({ license }: { license: License }) {
  const { pool, entitlement } = license;
  const total = entitlement.total_licenses;
  if (pool === undefined) return <Text span inherit c="dimmed" className="num">– / {formatCount(total)}</Text>;
  const part = (n: number): string => `${total === 0 ? 0 : Math.min(100, (n / total) * 100)}%`;
  return (
    <Group gap="xs" wrap="nowrap" justify="flex-end" className="num">
      <Box
        visibleFrom="sm"
        w={72}
        h={6}
        role="img"
        aria-label={`${text.licenses.inUse(formatCount(pool.in_use), formatCount(total))}: ${text.licenses.commitOf(formatCount(pool.commit_in_use))}, ${text.licenses.overageOf(formatCount(pool.overage_in_use))}`}
        style={{ display: 'flex', overflow: 'hidden', borderRadius: 3, background: 'var(--mantine-color-default-border)' }}
      >
        <Box w={part(pool.commit_in_use)} style={{ background: 'var(--portal-commit)' }} />
        <Box w={part(pool.overage_in_use)} style={{ background: 'var(--portal-overage)' }} />
      </Box>
      <Text span inherit miw={56} ta="right" style={{ whiteSpace: 'nowrap' }}>{formatCount(pool.in_use)} / {formatCount(total)}</Text>
    </Group>
  );
}
