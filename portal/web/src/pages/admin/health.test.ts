import { expect, test } from 'vitest';

import { lagOf, largestLag, laggingEntries, troubles, type Cluster, type Group, type Node } from './health';

const node = (id: string, state: Node['state'] = 'alive'): Node => ({ id, state, http: '', region: 'eu', zone: 'a', version: '1' });
const group = (id: number, leader: string | null, applied: readonly number[]): Group => ({
  id,
  kind: id === 0 ? 'directory' : 'license',
  leader,
  term: 2,
  commit_index: 5_000,
  replicas: applied.map((at, i) => ({ node: `n${i + 1}`, role: at < 0 ? 'unknown' : `n${i + 1}` === leader ? 'leader' : 'follower', applied_index: Math.max(0, at) })),
});

test('a cluster that is well has no troubles', () => {
  const well: Cluster = { nodes: [node('n1'), node('n2')], groups: [group(0, 'n1', [5_000, 4_990]), group(1, 'n2', [4_999, 5_003])] };
  expect(troubles(well)).toEqual([]);
  expect(largestLag(well.groups)).toBe(10);
});

test('a group without leader comes before a replica that lags', () => {
  const found = troubles({
    nodes: [node('n1'), node('n2')],
    groups: [group(1, 'n1', [5_000, 5_000 - laggingEntries]), group(2, null, [5_000, 5_000])],
  });
  expect(found.map((t) => t.severity)).toEqual(['bad', 'warn']);
  expect(found[0]?.text).toContain('License group 2 has no leader');
  expect(found[1]?.text).toContain('on n2 is 1,000 entries behind');
});

test('a node that is away is told once, and its replicas are no troubles of their own', () => {
  const lost = group(1, 'n1', [5_000, -1]);
  expect(troubles({ nodes: [node('n1'), node('n2', 'dead')], groups: [lost] }).map((t) => t.text)).toEqual([expect.stringMatching(/^Node n2 is dead/)]);
  expect(troubles({ nodes: [node('n1'), node('n2')], groups: [lost] }).map((t) => t.text)).toEqual(['The replica of License group 1 on n2 does not answer.']);
  expect(lost.replicas.map((r) => lagOf(lost, r))).toEqual([0, undefined]);
});
