import { Group, SegmentedControl, Select, TextInput } from '@mantine/core';

import { formatCount } from '../format';
import { text } from '../text/en';
import { addDays, today } from './period';
import { daysIn, fits, useRange } from './range';
import type { Resolution } from './series';
import { useSetFilters } from './UrlFilters';

const presets = { week: 7, month: 30, quarter: 90, year: 365 } as const;
type Preset = keyof typeof presets;
const resolutions: readonly Resolution[] = ['hour', 'day', 'month'];

/** Days and resolution, in the URL. */
export function RangeBar() {
  const { from, to, by, backwards } = useRange();
  const set = useSetFilters();
  const days = daysIn(from, to);
  const preset = to === today() ? (Object.keys(presets) as Preset[]).find((p) => presets[p] === days) : undefined;
  return (
    <Group gap="xs" align={backwards === undefined ? 'flex-end' : 'flex-start'}>
      <Select
        w={160}
        label={text.range.preset}
        placeholder={text.range.days(formatCount(days))}
        data={Object.entries(text.range.presets).map(([value, label]) => ({ value, label }))}
        value={preset ?? null}
        onChange={(p) => p !== null && set({ from: addDays(today(), 1 - presets[p as Preset]), to: null })}
      />
      <TextInput w={150} type="date" label={text.range.from} max={to} value={backwards ?? from} error={backwards === undefined ? undefined : text.range.backwards} onChange={(e) => set({ from: e.currentTarget.value })} />
      <TextInput w={150} type="date" label={text.range.to} value={to} {...(backwards === undefined ? { min: from } : {})} onChange={(e) => set({ to: e.currentTarget.value, from: backwards ?? from })} />
      <SegmentedControl
        aria-label={text.range.by}
        value={by}
        onChange={(value) => set({ by: value })}
        data={resolutions.map((value) => ({ value, label: text.range.resolutions[value], disabled: !fits(days, value) }))}
      />
    </Group>
  );
}
