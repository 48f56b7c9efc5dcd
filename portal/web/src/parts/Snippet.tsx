import { ActionIcon, Box, CopyButton, Group, ScrollArea, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';

import { text } from '../text/en';

/** Text to copy: a value or a piece of a shell, as it is pasted. */
export function Snippet({ children, label }: { children: string; label: string }) {
  return (
    <Group className="card" gap={0} wrap="nowrap" align="flex-start" style={{ background: 'var(--portal-canvas)' }}>
      <ScrollArea type="auto" flex={1} miw={0} viewportProps={{ tabIndex: 0, role: 'group', 'aria-label': label }}>
        <Box component="pre" m={0} p="sm" className="mono" style={{ whiteSpace: 'pre' }}>{children}</Box>
      </ScrollArea>
      <CopyButton value={children}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? text.actions.copied : text.actions.copy}>
            <ActionIcon m={6} variant="default" flex="none" onClick={copy} aria-label={`${text.actions.copy}: ${label}`}>
              {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Group>
  );
}
