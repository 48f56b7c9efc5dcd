import { SimpleGrid, Stack, TagsInput } from '@mantine/core';

import type { Problem } from '../../api/problem';
import { isNumber, type Typed } from '../../numbers';
import { NumberField } from '../../parts/NumberField';
import { keysText as text } from '../../text/en-tenant';

/** Where and how often a key may be used, as the forms have it. */
export interface RestrictionValues {
  hostnames: string[];
  ranges: string[];
  perMinute: Typed;
  perHour: Typed;
}

/** What the API takes; a limit of a rate that is left empty stays as it is. */
export function toRestrictions(v: RestrictionValues): { allowed_hostnames: string[]; allowed_ip_ranges: string[]; checkouts_per_minute?: number; requests_per_hour?: number } {
  return {
    allowed_hostnames: v.hostnames,
    allowed_ip_ranges: v.ranges,
    ...(isNumber(v.perMinute) ? { checkouts_per_minute: v.perMinute } : {}),
    ...(isNumber(v.perHour) ? { requests_per_hour: v.perHour } : {}),
  };
}

/** Whether each limit of a rate is a number, or left empty. */
export function areRates({ perMinute, perHour }: RestrictionValues): boolean {
  return [perMinute, perHour].every((rate) => rate === '' || isNumber(rate));
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
        <NumberField label={text.perMinute} description={text.heartbeatsFree} value={values.perMinute} onChange={(perMinute) => onChange({ perMinute })} decimals={0} least={1} most={most} error={of(error, 'checkouts_per_minute')} />
        <NumberField label={text.perHour} description={text.heartbeatsFree} value={values.perHour} onChange={(perHour) => onChange({ perHour })} decimals={0} least={1} most={most} error={of(error, 'requests_per_hour')} />
      </SimpleGrid>
    </Stack>
  );
}
