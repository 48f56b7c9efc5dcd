import { Box, Tooltip } from '@mantine/core';

import { useLive } from '../live/live';
import { StatusBadge } from '../parts/StatusBadge';
import { text } from '../text/en';

const moods = { connecting: 'quiet', live: 'good', reconnecting: 'warn', offline: 'bad', ended: 'quiet' } as const;

/** Whether what is shown is as it is now. */
export function LiveBadge() {
  const { state } = useLive();
  return (
    <Tooltip label={text.live.hint[state]} multiline maw={280}>
      <Box fz="sm" role="status" tabIndex={0} data-live={state} className="live-badge">
        <StatusBadge status={state} mood={moods[state]} label={text.live[state]} />
      </Box>
    </Tooltip>
  );
}
