import { Button, Group, Popover, Stack, Text } from '@mantine/core';

import { api } from '../../api/client';
import { useApi } from '../../api/hooks';
import { formatCount } from '../../format';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { StatusBadge } from '../../parts/StatusBadge';
import { auditText as text } from '../../text/en-tenant';

/** Whether the chain of the log's hashes holds, as a replica has just recomputed it. */
export function AuditChain() {
  // The chain is read as a whole: not at every return to the window.
  const proof = useApi(['audit-proof'], (signal) => api.GET('/api/v1/audit/verify', { signal }), { staleTime: 5 * 60_000 });
  const { data, error } = proof;
  const badge = proof.isFetching ? (
    <StatusBadge status="verifying" mood="quiet" label={text.verifying} />
  ) : error !== null || data === undefined ? (
    <StatusBadge status="unverified" mood="warn" label={text.unverified} />
  ) : data.valid ? (
    <StatusBadge status="verified" label={text.verified(formatCount(data.records))} />
  ) : (
    <StatusBadge status="broken" mood="bad" label={text.broken} />
  );
  return (
    <Popover position="bottom-end" width={360} withArrow>
      <Popover.Target><Button variant="default" fw={400} className="num">{badge}</Button></Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs" align="flex-start">
          {error !== null && <ProblemAlert error={error} />}
          {data !== undefined && (
            <>
              <Text size="sm">{data.valid ? text.verifiedHint : data.detail}</Text>
              <Group gap="xs" wrap="nowrap" align="baseline">
                <Text size="xs" c="dimmed">{text.head}</Text>
                <Text size="xs" className="mono" style={{ overflowWrap: 'anywhere' }}>{data.head}</Text>
              </Group>
            </>
          )}
          <Button size="xs" variant="default" loading={proof.isFetching} onClick={() => void proof.refetch()}>{text.again}</Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
