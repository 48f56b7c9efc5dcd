import { NumberInput, SimpleGrid, Stack, TagsInput } from '@mantine/core';

import type { Problem } from '../../api/problem';
import { keysText as text } from '../../text/en-tenant';

/** Where and how often a key may be used, as the forms have it. */
export interface RestrictionValues {
  hostnames: string[];
  ranges: string[];
  perMinute: number | string;
  perHour: number | string;
}

/** What the API takes; a limit of a rate that is left empty stays as it is. */
export function toRestrictions(v: RestrictionValues): { allowed_hostnames: string[]; allowed_ip_ranges: string[]; checkouts_per_minute?: number; requests_per_hour?: number } {
  return {
    allowed_hostnames: v.hostnames,
    allowed_ip_ranges: v.ranges,
    ...(typeof v.perMinute === 'number' ? { checkouts_per_minute: v.perMinute } : {}),
    ...(typeof v.perHour === 'number' ? { requests_per_hour: v.perHour } : {}),
  };
}

const most = 1_000_000;

// A refusal may point to one line of a list: /allowed_ip_ranges/1.
function of(error: Problem | null, name: string): string | undefined {
  if (error === null) return undefined;
  return [...error.fields].find(([pointer]) => pointer === name || pointer.startsWith(`${name}/`))?.[1];
}

export function RestrictionFields({ values, onChange, error }: { values: RestrictionValues; onChange: (change: Partial<RestrictionValues>) => void; error: Problem | null }) {
  return (
    <Stack gap="md">
      <TagsInput label={text.hostnames} description={text.hostnamesHint} value={values.hostnames} onChange={(hostnames) => onChange({ hostnames })} error={of(error, 'allowed_hostnames')} maxTags={100} splitChars={[',', ' ', '\n']} acceptValueOnBlur />
      <TagsInput label={text.ranges} description={text.rangesHint} value={values.ranges} onChange={(ranges) => onChange({ ranges })} error={of(error, 'allowed_ip_ranges')} maxTags={100} splitChars={[',', ' ', '\n']} acceptValueOnBlur />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
        <NumberInput label={text.perMinute} description={text.heartbeatsFree} value={values.perMinute} onChange={(perMinute) => onChange({ perMinute })} min={1} max={most} allowDecimal={false} thousandSeparator error={of(error, 'checkouts_per_minute')} />
        <NumberInput label={text.perHour} description={text.heartbeatsFree} value={values.perHour} onChange={(perHour) => onChange({ perHour })} min={1} max={most} allowDecimal={false} thousandSeparator error={of(error, 'requests_per_hour')} />
      </SimpleGrid>
    </Stack>
  );
}
