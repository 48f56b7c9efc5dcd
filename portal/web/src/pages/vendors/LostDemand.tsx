import { Box, Stack, Table, Text, Title } from '@mantine/core';

import { formatCount } from '../../format';
import { vendorText as text } from '../../text/en-vendors';
import type { Usage } from './usage';
import { hatched } from './UsageChart';

interface Lost {
  key: string;
  customer: string;
  product: string;
  reason: string;
  count: number;
}

// What else is refused had no lack of seats: docs/analytics.md.
type NoSeat = keyof typeof text.analytics.reasons;
const noSeat = Object.keys(text.analytics.reasons) as NoSeat[];

function lostOf(used: readonly Usage[]): Lost[] {
  return used
    .flatMap((u) => {
      const byCode = new Map<NoSeat, number>();
      for (const point of u.series) {
        for (const code of noSeat) byCode.set(code, (byCode.get(code) ?? 0) + (point.refusals_by_code[code] ?? 0));
      }
      return [...byCode].filter(([, count]) => count > 0).map(([code, count]) => ({ key: `${u.license_id} ${code}`, customer: u.customer_name, product: u.product_name, reason: text.analytics.reasons[code], count }));
    })
    .toSorted((a, b) => b.count - a.count);
}

/** Checkouts that found no seat, by customer and product. */
export function LostDemand({ used }: { used: readonly Usage[] }) {
  const lost = lostOf(used);
  const most = Math.max(1, ...lost.map((l) => l.count));
  return (
    <Stack className="card" p="md" gap="sm" component="section" aria-label={text.analytics.lost}>
      <div>
        <Title order={2} size="h3">{text.analytics.lost}</Title>
        <Text size="sm" c="dimmed">{lost.length === 0 ? text.analytics.lostNone : text.analytics.lostText}</Text>
      </div>
      {lost.length > 0 && (
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{text.analytics.customer}</Table.Th>
              <Table.Th visibleFrom="sm">{text.analytics.product}</Table.Th>
              <Table.Th visibleFrom="sm">{text.analytics.reason}</Table.Th>
              <Table.Th ta="right" colSpan={2}>{text.analytics.refusals}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {lost.map((l) => (
              <Table.Tr key={l.key}>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>
                  {l.customer}
                  <Text size="xs" c="dimmed" hiddenFrom="sm">{l.product}</Text>
                  <Text size="xs" c="dimmed" hiddenFrom="sm">{l.reason}</Text>
                </Table.Td>
                <Table.Td visibleFrom="sm" style={{ overflowWrap: 'anywhere' }}>{l.product}</Table.Td>
                <Table.Td visibleFrom="sm">{l.reason}</Table.Td>
                <Table.Td w={{ base: 72, sm: 120 }}><Box h={10} ml="auto" w={`${(l.count / most) * 100}%`} style={{ background: hatched, borderRadius: 2 }} /></Table.Td>
                <Table.Td w={{ base: 56, sm: 72 }} ta="right" className="num">{formatCount(l.count)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}
