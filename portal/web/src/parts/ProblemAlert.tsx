import { Alert, Button, Code, CopyButton, Group, Stack, Text } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';

import { Problem } from '../api/problem';
import { text } from '../text/en';

/** A refusal: what happened, what to do, and by which id support finds it. */
export function ProblemAlert({ error, onRetry, title }: { error: unknown; onRetry?: () => void; title?: string }) {
  const problem = error instanceof Problem ? error : new Problem({ detail: text.crash.text }, 0);
  const advice = text.problem.advice[problem.code];
  return (
    <Alert color="red" variant="outline" icon={<IconAlertCircle />} title={title ?? problem.title} styles={{ title: { color: 'var(--portal-bad)' } }} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{problem.message}</Text>
        {[...problem.fields].map(([name, detail]) => (
          <Text size="sm" key={name}><Code>{name}</Code> {detail}</Text>
        ))}
        {advice !== undefined && <Text size="sm">{advice}</Text>}
        <Group gap="xs">
          {onRetry !== undefined && <Button size="xs" variant="default" onClick={onRetry}>{text.problem.retry}</Button>}
          {problem.requestId !== '' && (
            <CopyButton value={problem.requestId}>
              {({ copied, copy }) => (
                <Button size="xs" variant="subtle" color="gray" c="dimmed" onClick={copy} aria-label={text.problem.copyRequestId}>
                  {copied ? text.actions.copied : <>{text.problem.requestId}&nbsp;<span className="mono">{problem.requestId}</span></>}
                </Button>
              )}
            </CopyButton>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}
