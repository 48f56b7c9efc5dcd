import { Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

/** Names and values about one thing, in a card. A value that is undefined is left out. */
export function Facts({ title, facts, children }: { title: string; facts: readonly (readonly [string, ReactNode])[]; children?: ReactNode }) {
  const shown = facts.filter(([, value]) => value !== undefined);
  return (
    <Stack className="card" p="md" gap="xs" component="section" aria-label={title}>
      <Title order={2} size="h3">{title}</Title>
      {shown.length > 0 && (
        <dl style={{ display: 'grid', gridTemplateColumns: 'minmax(112px, max-content) minmax(0, 1fr)', gap: '6px 16px', margin: 0 }}>
          {shown.map(([name, value]) => (
            <div key={name} style={{ display: 'contents' }}>
              <Text component="dt" size="sm" c="dimmed">{name}</Text>
              <Text component="dd" size="sm" m={0} className="num" style={{ overflowWrap: 'anywhere' }}>{value}</Text>
            </div>
          ))}
        </dl>
      )}
      {children}
    </Stack>
  );
}
