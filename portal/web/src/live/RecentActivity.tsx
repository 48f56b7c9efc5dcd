import { Group, Stack, Text, Title } from '@mantine/core';
import { IconArrowDownLeft, IconArrowUpRight, IconBan, IconClockX } from '@tabler/icons-react';

import { When } from '../parts/When';
import { text } from '../text/en';
import { useLive, type Activity } from './live';

const icons = {
  'lease.granted': IconArrowUpRight,
  'lease.returned': IconArrowDownLeft,
  'lease.expired': IconClockX,
  'checkout.denied': IconBan,
} as const;

function sentence(a: Activity): string {
  switch (a.type) {
    case 'lease.granted':
      return text.live.granted(a.user, a.product_id);
    case 'lease.returned':
      return a.reason === 'released' ? text.live.released(a.user, a.product_id) : text.live.returned(a.user, a.product_id);
    case 'lease.expired':
      return text.live.expired(a.user, a.product_id);
    case 'checkout.denied':
      return text.live.denied(a.user, a.product_id, a.reason ?? '');
  }
}

/** What happened since the page was opened, newest first. */
export function RecentActivity({ license, most = 12 }: { license?: string; most?: number }) {
  const { recent } = useLive();
  const shown = recent.filter((a) => license === undefined || a.license_id === license).slice(0, most);
  return (
    <Stack className="card" p="md" gap="sm" component="section" aria-label={text.live.recent}>
      <Title order={2} size="h3">{text.live.recent}</Title>
      {shown.length === 0 && <Text size="sm" c="dimmed">{text.live.recentEmpty}</Text>}
      {shown.map((a) => {
        const Icon = icons[a.type];
        return (
          <Group key={a.id} gap="xs" wrap="nowrap" align="flex-start">
            <Icon size={16} stroke={1.6} aria-hidden style={{ flex: 'none', marginTop: 2, color: a.type === 'checkout.denied' ? 'var(--portal-bad)' : 'var(--mantine-color-dimmed)' }} />
            <Text size="sm" flex={1} component="div" style={{ overflowWrap: 'anywhere' }}>
              {sentence(a)}{(a.overage_count ?? 0) > 0 && a.type === 'lease.granted' && <Text span inherit c="var(--portal-warn)"> · {text.live.overage}</Text>}
              <Text size="xs" c="dimmed" component="div"><When at={a.at} /></Text>
            </Text>
          </Group>
        );
      })}
    </Stack>
  );
}
