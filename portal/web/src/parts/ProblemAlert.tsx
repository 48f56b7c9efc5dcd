import { ActionIcon, Alert, Button, Code, CopyButton, Group, Stack, Text } from '@mantine/core';
import { IconAlertCircle, IconCheck, IconCopy } from '@tabler/icons-react';

import { Problem } from '../api/problem';
import { text } from '../text/en';

/** A refusal: what happened, what to do, and by which id support finds it. */
export function ProblemAlert({ error, onRetry, title }: { error: unknown; onRetry?: () => void; title?: string }) {
  const problem = error instanceof Problem ? error : new Problem({ detail: text.crash.text }, 0);
  const advice = text.problem.advice[problem.code];
  return (
    <Alert color="red" variant="outline" icon={<IconAlertCircle />} title={title ?? problem.title} styles={{ root: { background: 'var(--portal-card)' }, title: { color: 'var(--portal-bad)' } }} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{problem.message}</Text>
        {[...problem.fields].map(([name, detail]) => (
          <Text size="sm" key={name}><Code>{name}</Code> {detail}</Text>
        ))}
        {advice !== undefined && <Text size="sm">{advice}</Text>}
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
      <CopyButton value={id}>
        {({ copied, copy }) => (
          <ActionIcon size="sm" variant="subtle" color="gray" c="dimmed" onClick={copy} aria-label={text.problem.copyRequestId}>
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        )}
      </CopyButton>
    </Group>
  );
}
