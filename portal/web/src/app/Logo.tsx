import { Avatar, Box, Image } from '@mantine/core';
import { useState } from 'react';

import type { Schemas } from '../api/client';

/** The mark of the platform, or of a vendor that has one of its own; the name stands beside it. */
export function Logo({ size = 26, brand, name = '' }: { size?: number; brand?: Schemas['Branding']; name?: string }) {
  const [missing, setMissing] = useState<string>(); // the image that did not load
  const image = brand?.logo_url ?? '';
  if (image !== '' && image !== missing) return <Image src={image} alt="" w={size} h={size} fit="contain" style={{ flex: 'none' }} onError={() => setMissing(image)} />;
  const color = brand === undefined || brand.color === '' ? 'var(--mantine-color-accent-7)' : brand.color;
  if (image !== '' && name !== '') return <Avatar alt="" name={name} size={size} radius="sm" color={brand?.color || 'accent'} variant="filled" autoContrast aria-hidden />;
  return (
    <Box component="svg" viewBox="0 0 16 16" w={size} h={size} style={{ flex: 'none' }} aria-hidden>
      <rect width="16" height="16" rx="4" fill={color} />
      <path d="M4 8.5 7 11l5-6" fill="none" stroke="#fff" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
    </Box>
  );
}
