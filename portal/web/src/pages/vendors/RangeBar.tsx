import { Group, SegmentedControl, Select, TextInput } from '@mantine/core';

import { useSetFilters } from '../../parts/UrlFilters';
import { vendorText as text } from '../../text/en-vendors';
import { addDays, today } from './period';
import { daysIn, mostDays, useRange } from './range';

const presets = { week: 7, month: 30, quarter: 90, year: 365 } as const;
type Preset = keyof typeof presets;

/** Days and resolution, in the URL. */
export function RangeBar() {
  const { from, to, by } = useRange();
  const set = useSetFilters();
  const days = daysIn(from, to);
  const preset = to === today() ? (Object.keys(presets) as Preset[]).find((p) => presets[p] === days) : undefined;
  return (
    <Group gap="xs" align="flex-end">
      <Select
        w={160}
        label={text.analytics.preset}
        placeholder={`${days} d`}
        data={Object.entries(text.analytics.presets).map(([value, label]) => ({ value, label }))}
        value={preset ?? null}
        onChange={(p) => p !== null && set({ from: addDays(today(), 1 - presets[p as Preset]), to: null })}
      />
      <TextInput w={150} type="date" label={text.analytics.from} max={to} value={from} onChange={(e) => set({ from: e.currentTarget.value })} />
      <TextInput w={150} type="date" label={text.analytics.to} min={from} value={to} onChange={(e) => set({ to: e.currentTarget.value, from })} />
      <SegmentedControl
        aria-label={text.analytics.by}
        value={by}
        onChange={(value) => set({ by: value })}
        data={[
          { value: 'hour', label: text.analytics.hour, disabled: days > mostDays.hour },
          { value: 'day', label: text.analytics.day, disabled: days > mostDays.day },
          { value: 'month', label: text.analytics.month },
        ]}
      />
    </Group>
  );
}
