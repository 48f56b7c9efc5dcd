import { Button, Group, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { lazy, Suspense, useState, type ReactNode } from 'react';

import { formatCount } from '../format';
import { text } from '../text/en';

// recharts comes with the first chart, not with the first page.
const Area = lazy(() => import('./ChartArea'));

/** A moment of a pool: seats in use at the most, and refusals. */
export interface UsePoint {
  /** RFC 3339. */
  at: string;
  commit: number;
  overage: number;
  refused?: number;
}

/** A chart with its name, and the same numbers as a table. */
export function ChartCard({ title, children, table }: { title: string; children: ReactNode; table: ReactNode }) {
  const [asTable, setAsTable] = useState(false);
  return (
    <Stack className="card" p="md" gap="sm" component="section" aria-label={title}>
      <Group justify="space-between">
        <Title order={2} size="h3">{title}</Title>
        <Button size="compact-xs" variant="subtle" onClick={() => setAsTable(!asTable)}>{asTable ? text.chart.asChart : text.chart.asTable}</Button>
      </Group>
      {asTable ? table : children}
    </Stack>
  );
}

/** Seats in use over time, commit below overage, up to the licensed total. */
export function AreaCommitOverage({ title, points, capacity, formatAt }: {
  title: string;
  points: readonly UsePoint[];
  capacity?: number;
  formatAt: (at: string) => string;
}) {
  const refused = points.some((p) => (p.refused ?? 0) > 0);
  const table = (
    <Table.ScrollContainer minWidth={320} mah={320}>
      <Table className="num" striped>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.chart.time}</Table.Th>
            <Table.Th ta="right">{text.chart.commit}</Table.Th>
            <Table.Th ta="right">{text.chart.overage}</Table.Th>
            {refused && <Table.Th ta="right">{text.chart.refused}</Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {points.map((p) => (
            <Table.Tr key={p.at}>
              <Table.Td>{formatAt(p.at)}</Table.Td>
              <Table.Td ta="right">{formatCount(p.commit)}</Table.Td>
              <Table.Td ta="right">{formatCount(p.overage)}</Table.Td>
              {refused && <Table.Td ta="right">{formatCount(p.refused ?? 0)}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
  return (
    <ChartCard title={title} table={table}>
      {points.length === 0 ? (
        <Text c="dimmed" size="sm" py="xl" ta="center">{text.chart.empty}</Text>
      ) : (
        <Suspense fallback={<Skeleton h={chartHeight} aria-label={text.chart.loading} />}>
          <Area points={points} capacity={capacity} formatAt={formatAt} refused={refused} />
        </Suspense>
      )}
    </ChartCard>
  );
}

export const chartHeight = 260;

const hours = Array.from({ length: 24 }, (_, h) => h);
/** Of which hours a phone has room for the number. */
const phoneHours = 6;

/** Use by weekday (0: Monday) and hour of the day in UTC. */
export function HeatMap({ title, cells, unit }: { title: string; cells: readonly { weekday: number; hour: number; value: number }[]; unit: string }) {
  const most = Math.max(...cells.map((c) => c.value)) || 1;
  const known = new Map(cells.map((c) => [`${c.weekday}-${c.hour}`, c.value]));
  const at = (day: number, hour: number): number => known.get(`${day}-${hour}`) ?? 0;
  const table = (
    <Table className="num" verticalSpacing={2} horizontalSpacing={4} striped>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{text.chart.hour}</Table.Th>
          {text.chart.weekdays.map((name) => <Table.Th key={name} ta="right">{name}</Table.Th>)}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {hours.map((h) => (
          <Table.Tr key={h}>
            <Table.Th scope="row" fw={400}>{h}</Table.Th>
            {text.chart.weekdays.map((name, day) => <Table.Td key={name} ta="right">{formatCount(Math.round(at(day, h) * 10) / 10)}</Table.Td>)}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
  return (
    <ChartCard title={title} table={table}>
      <table style={{ width: '100%', borderSpacing: 2, tableLayout: 'fixed' }} className="num">
        <caption style={{ captionSide: 'bottom' }}><Text size="xs" c="dimmed">{text.chart.hour}</Text></caption>
        <thead>
          <tr>
            <td style={{ width: 36 }} />
            {hours.map((h) => <th key={h} scope="col"><Text size="xs" c="dimmed" fw={400} visibleFrom={h % phoneHours === 0 ? undefined : 'sm'}>{h}</Text></th>)}
          </tr>
        </thead>
        <tbody>
          {text.chart.weekdays.map((name, day) => (
            <tr key={name}>
              <th scope="row"><Text size="xs" c="dimmed" fw={400} ta="left">{name}</Text></th>
              {hours.map((h) => (
                <td key={h} title={`${name} ${h}:00 · ${formatCount(at(day, h))} ${unit}`} style={heat(at(day, h) / most)}>
                  <span className="visually-hidden">{formatCount(at(day, h))}</span>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <HeatLegend most={`${formatCount(Math.round(most * 100) / 100)} ${unit}`} />
    </ChartCard>
  );
}

const shades = [0, 0.25, 0.5, 0.75, 1];

function HeatLegend({ most }: { most: string }) {
  return (
    <Group gap={6} className="num">
      <Text size="xs" c="dimmed">0</Text>
      {shades.map((part) => <span key={part} aria-hidden style={{ ...heat(part), width: 22, height: 12 }} />)}
      <Text size="xs" c="dimmed">{most}</Text>
    </Group>
  );
}

function heat(part: number): { height: number; borderRadius: number; background: string } {
  const strength = part === 0 ? 0 : 15 + Math.round(part * 85);
  return { height: 22, borderRadius: 3, background: `color-mix(in srgb, var(--portal-commit) ${strength}%, var(--portal-canvas))` };
}
