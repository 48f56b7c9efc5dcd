import { Area, Bar, CartesianGrid, ComposedChart, Legend, ReferenceLine, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';

import { formatCount } from '../format';
import { text } from '../text/en';
import { chartHeight, type UsePoint } from './charts';

// More points than this are drawn as an area: bars would be hairlines.
const mostBars = 62;
const widestBar = 32;
const axis = { fill: 'var(--mantine-color-dimmed)', fontSize: 12 };

/** Drawn by AreaCommitOverage alone, which says the same as a table. */
export default function ChartArea({ points, capacity, formatAt, refused }: {
  points: readonly UsePoint[];
  capacity: number | undefined;
  formatAt: (at: string) => string;
  refused: boolean;
}) {
  const bars = points.length <= mostBars;
  return (
    <div aria-hidden style={{ height: chartHeight }} className="num">
      <ResponsiveContainer width="100%" height="100%">
        <ComposedChart data={[...points]} barCategoryGap="10%" barGap={0} margin={{ top: 24, right: 12, bottom: 0, left: 0 }} accessibilityLayer={false}>
          <defs>
            <pattern id="portal-refused" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect width="6" height="6" fill="var(--portal-refused)" fillOpacity={0.25} />
              <rect width="3" height="6" fill="var(--portal-refused)" />
            </pattern>
          </defs>
          <CartesianGrid vertical={false} stroke="var(--mantine-color-default-border)" />
          <XAxis dataKey="at" tickFormatter={formatAt} tick={axis} tickLine={false} stroke="var(--mantine-color-default-border)" minTickGap={32} />
          <YAxis allowDecimals={false} tick={axis} tickFormatter={formatCount} tickLine={false} axisLine={false} width={52}
            label={{ value: text.chart.seats, angle: -90, position: 'insideLeft', style: { ...axis, textAnchor: 'middle' } }} />
          <Tooltip
            labelFormatter={(at) => formatAt(String(at))}
            formatter={(value) => formatCount(Number(value))}
            contentStyle={{ background: 'var(--portal-card)', border: '1px solid var(--mantine-color-default-border)', borderRadius: 8, fontSize: 13 }}
            labelStyle={{ color: 'var(--mantine-color-text)' }}
            itemStyle={{ color: 'var(--mantine-color-text)' }}
          />
          <Legend iconType="square" iconSize={10} formatter={(name: string) => <span style={{ color: 'var(--mantine-color-text)', fontSize: 13 }}>{name}</span>} />
          {bars && <Bar dataKey="commit" name={text.chart.commit} stackId="use" fill="var(--portal-commit)" maxBarSize={widestBar} isAnimationActive={false} />}
          {bars && <Bar dataKey="overage" name={text.chart.overage} stackId="use" fill="var(--portal-overage)" maxBarSize={widestBar} isAnimationActive={false} />}
          {!bars && <Area type="step" dataKey="commit" name={text.chart.commit} stackId="use" stroke="var(--portal-commit)" fill="var(--portal-commit)" fillOpacity={0.35} isAnimationActive={false} />}
          {!bars && <Area type="step" dataKey="overage" name={text.chart.overage} stackId="use" stroke="var(--portal-overage)" fill="var(--portal-overage)" fillOpacity={0.5} isAnimationActive={false} />}
          {refused && <Bar dataKey="refused" name={text.chart.refused} fill="url(#portal-refused)" maxBarSize={widestBar} stroke="var(--portal-refused)" isAnimationActive={false} />}
          {capacity !== undefined && (
            <ReferenceLine y={capacity} stroke="var(--mantine-color-dimmed)" strokeDasharray="4 4" ifOverflow="extendDomain"
              label={{ value: `${text.chart.capacity}: ${formatCount(capacity)}`, position: 'insideBottomLeft', style: axis }} />
          )}
        </ComposedChart>
      </ResponsiveContainer>
    </div>
  );
}
