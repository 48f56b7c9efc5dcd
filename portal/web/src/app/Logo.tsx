import { Avatar, Box } from '@mantine/core';

import { useBrand } from './brand';

/** The mark of the platform, or of the vendor whose host it is; the name stands beside it. */
export function Logo({ size = 26 }: { size?: number }) {
  const brand = useBrand();
  if (brand !== undefined) {
    return <Avatar size={size} radius="sm" src={brand.logo || null} alt="" name={brand.name} color={brand.color || 'accent'} variant="filled" autoContrast aria-hidden />;
  }
  return (
    <Box component="svg" viewBox="0 0 16 16" w={size} h={size} style={{ flex: 'none' }} aria-hidden>
      <rect width="16" height="16" rx="4" fill="var(--mantine-color-accent-7)" />
      <path d="M4 8.5 7 11l5-6" fill="none" stroke="#fff" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
    </Box>
  );
}
