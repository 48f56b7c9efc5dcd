import { Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconArrowDownLeft, IconArrowUpRight, IconBan, IconClockX } from '@tabler/icons-react';

import { useMay } from '../api/session';
import { ProblemAlert } from '../parts/ProblemAlert';
import { When } from '../parts/When';
import { text } from '../text/en';
import { useActivity } from './activity';
import type { Activity } from './live';

const icons = {
  'lease.granted': IconArrowUpRight,
  'lease.returned': IconArrowDownLeft,
  'lease.expired': IconClockX,
  'checkout.denied': IconBan,
} as const;

/** A product's name by its ID, where one is known. */
type Named = (productId: string) => string | undefined;

function sentence(a: Activity, named: Named): string {
  const product = named(a.product_id) || a.product_id;
  switch (a.type) {
    case 'lease.granted':
      return text.live.granted(a.user, product);
    case 'lease.returned':
      return a.reason === 'released' ? text.live.released(a.user, product) : text.live.returned(a.user, product);
    case 'lease.expired':
      return text.live.expired(a.user, product);
    case 'checkout.denied':
      return text.live.denied(a.user, product, text.live.reasons[a.reason ?? ''] ?? a.reason ?? '');
  }
}

/** What happened lately, and what happens, newest first. */
export function RecentActivity({ named, license, most = 12 }: { named: Named; license?: string; most?: number }) {
  const { items, pending, error, retry } = useActivity(license, most);
  const seesAudit = useMay('view_audit');
  return (
    <Stack className="card" p="md" gap="sm" component="section" aria-label={text.live.recent}>
      <Title order={2} size="h3">{text.live.recent}</Title>
      {error !== null && <ProblemAlert error={error} onRetry={retry} />}
      {items.length === 0 && error === null && (pending ? <Skeleton h={120} aria-label={text.shell.loading} /> : <Text size="sm" c="dimmed">{seesAudit ? text.live.recentNone : text.live.recentEmpty}</Text>)}
      {items.map((a) => {
        const Icon = icons[a.type];
        return (
          <Group key={a.id} gap="xs" wrap="nowrap" align="flex-start">
            <Icon size={16} stroke={1.6} aria-hidden style={{ flex: 'none', marginTop: 2, color: a.type === 'checkout.denied' ? 'var(--portal-bad)' : 'var(--mantine-color-dimmed)' }} />
            <Text size="sm" flex={1} component="div" style={{ overflowWrap: 'anywhere' }}>
              {sentence(a, named)}{(a.overage_count ?? 0) > 0 && a.type === 'lease.granted' && <Text span inherit c="var(--portal-warn)"> · {text.live.overage}</Text>}
              <Text size="xs" c="dimmed" component="div"><When at={a.at} /></Text>
            </Text>
          </Group>
        );
      })}
    </Stack>
  );
}
