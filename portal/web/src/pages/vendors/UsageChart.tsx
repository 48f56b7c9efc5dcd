import { Box, Group, Stack, Table, Text } from '@mantine/core';

import { formatCount } from '../../format';
import { ChartCard } from '../../parts/charts';
import { text as shared } from '../../text/en';
import { vendorText as text } from '../../text/en-vendors';
import type { Usage } from './usage';

const most = 12;

/** Checkouts of each license, commit and overage, as bars beside each other's names. */
export function UsageChart({ used }: { used: readonly Usage[] }) {
  const shown = used.toSorted((a, b) => b.totals.checkouts - a.totals.checkouts).slice(0, most);
  const longest = Math.max(1, ...shown.map((u) => u.totals.checkouts + u.totals.refusals));
  const table = (
    <Table className="num">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{text.analytics.customer}</Table.Th>
          <Table.Th>{text.analytics.product}</Table.Th>
          <Table.Th ta="right">{shared.chart.commit}</Table.Th>
          <Table.Th ta="right">{shared.chart.overage}</Table.Th>
          <Table.Th ta="right">{shared.chart.refused}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {shown.map(({ license_id: id, customer_name: customer, product_name: product, totals: t }) => (
          <Table.Tr key={id}>
            <Table.Td>{customer}</Table.Td>
            <Table.Td>{product}</Table.Td>
            <Table.Td ta="right">{formatCount(t.checkouts - t.overage_checkouts)}</Table.Td>
            <Table.Td ta="right">{formatCount(t.overage_checkouts)}</Table.Td>
            <Table.Td ta="right">{formatCount(t.refusals)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
  return (
    <ChartCard title={text.analytics.whoChart} table={table}>
      <Stack gap="xs" role="img" aria-label={shown.map((u) => `${u.customer_name}, ${u.product_name}: ${formatCount(u.totals.checkouts)}${u.totals.refusals > 0 ? `, ${text.analytics.refusedCount(formatCount(u.totals.refusals))}` : ''}`).join('; ')}>
        {shown.map((u) => <Bar key={u.license_id} usage={u} longest={longest} />)}
        <Legend refused={shown.some((u) => u.totals.refusals > 0)} />
      </Stack>
    </ChartCard>
  );
}

function Bar({ usage, longest }: { usage: Usage; longest: number }) {
  const { totals: t } = usage;
  const part = (n: number): string => `${(n / longest) * 100}%`;
  return (
    <div style={{ display: 'grid', gridTemplateColumns: 'minmax(96px, 3fr) minmax(0, 9fr) 72px', gap: 12, alignItems: 'center' }}>
      <Box miw={0}>
        <Text size="sm" truncate>{usage.customer_name}</Text>
        <Text size="xs" c="dimmed" truncate>{usage.product_name}</Text>
      </Box>
      <Box h={18} style={{ display: 'flex', gap: 1 }}>
        <Box w={part(t.checkouts - t.overage_checkouts)} style={{ background: 'var(--portal-commit)', borderRadius: 2 }} />
        <Box w={part(t.overage_checkouts)} style={{ background: 'var(--portal-overage)', borderRadius: 2 }} />
        <Box w={part(t.refusals)} style={{ background: hatched, borderRadius: 2 }} />
      </Box>
      <Box ta="right" className="num">
        <Text size="sm">{formatCount(t.checkouts)}</Text>
        {t.refusals > 0 && <Text size="xs" c="dimmed">{text.analytics.refusedCount(formatCount(t.refusals))}</Text>}
      </Box>
    </div>
  );
}

export const hatched = 'repeating-linear-gradient(45deg, var(--portal-refused) 0 3px, transparent 3px 6px)';

function Legend({ refused }: { refused: boolean }) {
  const names = [['var(--portal-commit)', shared.chart.commit], ['var(--portal-overage)', shared.chart.overage], ...(refused ? [[hatched, shared.chart.refused]] : [])] as const;
  return (
    <Group gap="md" mt={4}>
      {names.map(([background, name]) => (
        <Group key={name} gap={6}><Box w={10} h={10} style={{ background, borderRadius: 2 }} /><Text size="xs" c="dimmed">{name}</Text></Group>
      ))}
    </Group>
  );
}
