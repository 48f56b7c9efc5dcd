import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';

import { useMay } from '../../api/session';
import { formatCount, formatMoney } from '../../format';
import { Facts } from '../../parts/Facts';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { costsText as text } from '../../text/en-tenant';
import { useCapName, useSettings, type Cap } from './data';

/** The tenant's own rules on overage, for those who may see its settings. */
export function CapFacts() {
  const sees = useMay('view_settings');
  const { data, error, refetch } = useSettings();
  const nameOf = useCapName();
  if (!sees) return null;
  if (error !== null && data === undefined) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return null;
  const { deny, caps } = data.overage;
  return (
    <Facts title={text.caps} facts={caps.map((cap) => [text.capOf(nameOf(cap)), <CapLimits key="cap" cap={cap} />] as const)}>
      <Text size="sm" c="dimmed">
        {deny ? text.denied : caps.length === 0 ? text.noCaps : text.capsText}{' '}
        <Anchor component={Link} to="/settings?tab=overage" underline="always">{text.change}</Anchor>
      </Text>
    </Facts>
  );
}

export function CapLimits({ cap }: { cap: Cap }) {
  return [
    ...(cap.max_uses === null ? [] : [text.capUses(formatCount(cap.max_uses))]),
    ...(cap.max_cost === null ? [] : [text.capCost(cap.currency === undefined ? formatCount(cap.max_cost) : formatMoney(cap.max_cost, cap.currency))]),
  ].join(' · ');
}
