import { Text } from '@mantine/core';

import { formatCount } from '../../format';
import { StatusBadge } from '../../parts/StatusBadge';
import { adminText } from '../../text/en-admin';
import { laggingEntries, lagOf, type Group, type Replica } from './health';

const text = adminText.cluster;

/** Each replica of a group: where it is, and how far behind. */
export function Replicas({ group }: { group: Group }) {
  return group.replicas.map((r) => (
    <Text key={r.node} size="sm" component="span" className="num card" px={8} py={2} style={{ whiteSpace: 'nowrap' }}>
      <StatusBadge status={r.role} mood={moodOf(group, r)} label={r.role === 'leader' ? text.replicaLeader(r.node) : r.node} />
      {' '}
      <Text span size="xs" c="dimmed">{lagText(lagOf(group, r))}</Text>
    </Text>
  ));
}

function lagText(lag: number | undefined): string {
  return lag === undefined ? text.replicaAway : text.replicaLag(formatCount(lag));
}

function moodOf(group: Group, replica: Replica): 'good' | 'warn' | 'bad' {
  const lag = lagOf(group, replica);
  if (lag === undefined) return 'bad';
  return lag >= laggingEntries || replica.role === 'candidate' ? 'warn' : 'good';
}
