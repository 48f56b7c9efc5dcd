import type { Icon } from '@tabler/icons-react';
import type { ComponentType } from 'react';

import type { Permission } from '../api/session';

/** A page of a site: its file comes when it is opened. */
export interface Page {
  /** As react-router has it, without a leading slash. */
  path: string;
  load: () => Promise<{ default: ComponentType }>;
}

/** A page for who is logged in, inside the shell. */
export interface ShellPage extends Page {
  /** Those without it get no link, and are told so at the page's address. */
  permission?: Permission;
  /** In the navigation and the palette; missing: reached from another page. */
  nav?: { label: string; icon: Icon };
}

/** Something to do at once, from the palette (Ctrl-K). */
export interface QuickAction {
  id: string;
  label: string;
  icon: Icon;
  permission?: Permission;
  /** Where it is done, such as /users?invite=1. */
  to: string;
}

export interface SiteDefinition {
  /** Pages in the order of the navigation; the first one permitted is home. */
  pages: readonly ShellPage[];
  /** Pages that need no session. */
  open: readonly Page[];
  actions: readonly QuickAction[];
  /** Whether there is a stream of events. */
  live: boolean;
}
