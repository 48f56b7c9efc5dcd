import { Group, Skeleton, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useParams } from 'react-router';

import { api } from '../../api/client';
import { useApi } from '../../api/hooks';
import { isProblem } from '../../api/problem';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { apexText as text } from '../../text/en-apex';
import { OpenPage } from './OpenPage';

/** Where the type of a problem leads: what its code means, and what to do. */
export default function ProblemPage() {
  const { code = '' } = useParams();
  const found = useApi(['problem', code], (signal) => api.GET('/problems/{id}', { params: { path: { id: code } }, headers: { Accept: 'application/json' }, signal }), { staleTime: Infinity });
  if (isProblem(found.error, 'not_found')) return <OpenPage title={text.problem.unknown}>{null}</OpenPage>;
  if (found.error !== null) {
    return <OpenPage title={text.problem.title(code)}><ProblemAlert error={found.error} onRetry={() => void found.refetch()} /></OpenPage>;
  }
  const e = found.data;
  if (typeof e !== 'object') return <OpenPage title={text.problem.title(code)}><Skeleton h={120} /></OpenPage>;
  return (
    <OpenPage width={560} title={e.title} description={<span className="mono">{e.code}</span>}>
      <Text size="sm">{e.meaning}</Text>
      <Text size="sm">{e.to_do}</Text>
      <Stack component="dl" gap={4} m={0}>
        <Row name={text.problem.status}><span className="num">{e.status}</span></Row>
        <Row name={text.problem.retryable}>{e.retryable ? text.problem.yes : text.problem.no}</Row>
      </Stack>
    </OpenPage>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Group gap="md" wrap="nowrap" align="baseline">
      <Text component="dt" size="sm" c="dimmed" w={140}>{name}</Text>
      <Text component="dd" size="sm" m={0}>{children}</Text>
    </Group>
  );
}
