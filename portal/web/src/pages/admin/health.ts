import type { Schemas } from '../../api/client';
import { formatCount } from '../../format';
import { adminText } from '../../text/en-admin';

const text = adminText.cluster;

export type Cluster = Schemas['Cluster'];
export type Group = Schemas['Group'];
export type Node = Schemas['Node'];
export type Replica = Schemas['Replica'];

/**
 * From how many entries behind a replica counts as lagging. The nodes are asked
 * one after the other while entries are committed, so that a busy group always
 * seems a little behind.
 */
export const laggingEntries = 1_000;

export function groupName(group: Pick<Group, 'id'>): string {
  return group.id === 0 ? text.names.directory : text.names.license(group.id);
}

/** Entries committed and not yet applied; undefined where the replica does not answer. */
export function lagOf(group: Group, replica: Replica): number | undefined {
  return replica.role === 'unknown' ? undefined : Math.max(0, group.commit_index - replica.applied_index);
}

export function largestLag(groups: readonly Group[]): number {
  return Math.max(0, ...groups.flatMap((g) => g.replicas.map((r) => lagOf(g, r) ?? 0)));
}

export interface Trouble {
  severity: 'bad' | 'warn';
  text: string;
}

/** What an operator has to look at, the worst first. */
export function troubles({ nodes, groups }: Cluster): Trouble[] {
  const bad: Trouble[] = [];
  const warn: Trouble[] = [];
  for (const group of groups) {
    if (group.leader === null) bad.push({ severity: 'bad', text: text.noLeader(groupName(group)) });
  }
  for (const node of nodes) {
    if (node.state !== 'alive') bad.push({ severity: 'bad', text: text.nodeAway(node.id, text.states[node.state].toLowerCase()) });
  }
  const away = new Set(nodes.filter((n) => n.state !== 'alive').map((n) => n.id));
  for (const group of groups) {
    for (const replica of group.replicas) {
      const lag = lagOf(group, replica);
      // Of a node that is away it is said already.
      if (lag === undefined && !away.has(replica.node)) warn.push({ severity: 'warn', text: text.unreachable(groupName(group), replica.node) });
      if (lag !== undefined && lag >= laggingEntries) warn.push({ severity: 'warn', text: text.lagging(groupName(group), replica.node, formatCount(lag)) });
    }
  }
  return [...bad, ...warn];
}
