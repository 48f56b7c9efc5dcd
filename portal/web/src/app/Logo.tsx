import { Box } from '@mantine/core';

/** The mark of the platform; its name stands beside it. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <Box component="svg" viewBox="0 0 16 16" w={size} h={size} style={{ flex: 'none' }} aria-hidden>
      <rect width="16" height="16" rx="4" fill="var(--mantine-color-accent-7)" />
      <path d="M4 8.5 7 11l5-6" fill="none" stroke="#fff" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
    </Box>
  );
}
