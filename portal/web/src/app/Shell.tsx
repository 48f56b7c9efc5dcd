import { AppShell, Burger, Group, NavLink, ScrollArea, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import { NavLink as RouterNavLink, Outlet, useLocation } from 'react-router';

import { may, useSession } from '../api/session';
import { useLiveStream } from '../live/live';
import { site } from '../site';
import { text } from '../text/en';
import { LiveBadge } from './LiveBadge';
import { Logo } from './Logo';
import { Palette, PaletteButton } from './Palette';
import type { SiteDefinition } from './pages';
import { SchemeSwitch } from './SchemeSwitch';
import { Suspended } from './Suspended';
import { UserMenu } from './UserMenu';

/** Header, navigation and the page: what who is logged in sees all the time. */
export default function Shell({ definition }: { definition: SiteDefinition }) {
  const session = useSession().data;
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const main = useMainFocus(pathname);
  useLiveStream(definition.live);
  useEffect(close, [close, pathname]);
  const pages = definition.pages.filter((p) => may(session, p.permission));
  return (
    <>
      <a className="skip-link" href="#main">{text.shell.skip}</a>
      <AppShell header={{ height: 56 }} navbar={{ width: 224, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding={{ base: 'md', sm: 'xl' }}>
        <AppShell.Header px="md">
          <Group h="100%" justify="space-between" wrap="nowrap" gap="sm">
            <Group gap="sm" wrap="nowrap" miw={0}>
              <Burger hiddenFrom="sm" size="sm" opened={opened} onClick={toggle} aria-label={opened ? text.shell.closeNavigation : text.shell.openNavigation} />
              <Logo brand={session?.branding} name={session?.branding?.name || session?.companyName} />
              <Stack gap={0} miw={0}>
                <Text fw={600} size="sm" lh="18px" truncate>{session?.branding?.name || session?.companyName || text.sites[site.name]}</Text>
                <Text size="xs" lh="16px" c="dimmed" truncate>{site.tenant || (site.name === 'admin' ? window.location.host : text.sites[site.name])}</Text>
              </Stack>
            </Group>
            <Group gap="xs" wrap="nowrap">
              {definition.live && <LiveBadge />}
              <PaletteButton />
              <SchemeSwitch />
              <UserMenu />
            </Group>
          </Group>
        </AppShell.Header>
        <AppShell.Navbar aria-label={text.shell.navigation} style={{ background: 'var(--portal-canvas)' }}>
          <AppShell.Section grow component={ScrollArea} p="xs">
            {pages.map(({ path, nav }) => nav && (
              <NavLink
                key={path}
                component={RouterNavLink}
                to={`/${path}`}
                label={nav.label}
                active={pathname === `/${path}` || pathname.startsWith(`/${path}/`)}
                leftSection={<nav.icon size={18} stroke={1.6} />}
                style={{ borderRadius: 'var(--mantine-radius-md)' }}
                py={7}
              />
            ))}
          </AppShell.Section>
        </AppShell.Navbar>
        <AppShell.Main id="main" ref={main} tabIndex={-1} maw={1440}>
          <Suspended />
          <Outlet />
        </AppShell.Main>
      </AppShell>
      <Palette definition={definition} />
    </>
  );
}

// Another page begins at its top, for the eye and for screen readers.
function useMainFocus(pathname: string) {
  const main = useRef<HTMLElement>(null);
  const shown = useRef(pathname);
  useEffect(() => {
    if (shown.current === pathname) return;
    shown.current = pathname;
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [pathname]);
  return main;
}
