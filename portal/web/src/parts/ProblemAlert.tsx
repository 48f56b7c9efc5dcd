import { Alert, Button, Code, Group, Stack, Text } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';

import { Problem } from '../api/problem';
import { site } from '../site';
import { text } from '../text/en';
import { CopyIcon } from './CopyIcon';

// A vendor meets its customer's limits, and cannot lift them.
const advice: Readonly<Record<string, string>> = { ...text.problem.advice, ...(site.name === 'vendors' ? text.problem.adviceVendors : {}) };

/** A refusal: what happened, what to do, and by which id support finds it. */
export function ProblemAlert({ error, onRetry, title }: { error: unknown; onRetry?: () => void; title?: string }) {
  const problem = error instanceof Problem ? error : new Problem({ detail: text.crash.text }, 0);
  const next = advice[problem.code];
  return (
    <Alert color="red" variant="outline" icon={<IconAlertCircle />} title={title ?? problem.title} styles={{ root: { background: 'var(--portal-card)' }, title: { color: 'var(--portal-bad)' } }} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{problem.message}</Text>
        {[...problem.fields].map(([name, detail]) => (
          <Text size="sm" key={name}><Code>{name}</Code> {detail}</Text>
        ))}
        {next !== undefined && <Text size="sm">{next}</Text>}
        {onRetry !== undefined && <Button size="xs" variant="default" onClick={onRetry}>{text.problem.retry}</Button>}
        {problem.requestId !== '' && <RequestId id={problem.requestId} />}
      </Stack>
    </Alert>
  );
}

function RequestId({ id }: { id: string }) {
  return (
    <Group gap={4} wrap="nowrap">
      <Text size="xs" c="dimmed">{text.problem.requestId} <span className="mono" style={{ fontSize: 'inherit', overflowWrap: 'anywhere' }}>{id}</span></Text>
      <CopyIcon value={id} label={text.problem.copyRequestId} />
    </Group>
  );
}
