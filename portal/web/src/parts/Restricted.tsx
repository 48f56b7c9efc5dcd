import { IconLock } from '@tabler/icons-react';
import type { ReactNode } from 'react';

import { useMay, type Permission } from '../api/session';
import { text } from '../text/en';
import { EmptyState } from './EmptyState';

/** Shows its children to those alone whose role allows it. */
export function Restricted({ to, children, fallback = null }: { to: Permission; children: ReactNode; fallback?: ReactNode }) {
  return useMay(to) ? children : fallback;
}

/** What a page is for those whose role does not allow it. */
export function RestrictedPage() {
  return (
    <EmptyState title={text.restricted.title} icon={<IconLock size={22} stroke={1.5} />}>{text.restricted.text}</EmptyState>
  );
}
