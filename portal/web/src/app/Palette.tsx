import '@mantine/spotlight/styles.layer.css';

import { ActionIcon, Kbd, Text, UnstyledButton } from '@mantine/core';
import { Spotlight, spotlight, type SpotlightActionData } from '@mantine/spotlight';
import { IconSearch } from '@tabler/icons-react';
import { useNavigate } from 'react-router';

import { may, useSession } from '../api/session';
import { text } from '../text/en';
import type { SiteDefinition } from './pages';

/** Opens the palette, for those who do not know Ctrl-K. */
export function PaletteButton() {
  return (
    <>
      <UnstyledButton visibleFrom="md" onClick={spotlight.open} className="card" px="sm" h={34} w={240} aria-keyshortcuts="Control+K" style={{ display: 'flex', alignItems: 'center', gap: 8 }}>
        <IconSearch size={15} aria-hidden />
        <Text size="sm" c="dimmed" flex={1}>{text.shell.search}</Text>
        <Kbd size="xs" aria-hidden>Ctrl K</Kbd>
      </UnstyledButton>
      <ActionIcon hiddenFrom="md" variant="default" size="lg" aria-label={text.shell.searchShort} onClick={spotlight.open}><IconSearch size={18} stroke={1.6} /></ActionIcon>
    </>
  );
}

/** Ctrl-K: every page and quick action that the role permits. */
export function Palette({ definition }: { definition: SiteDefinition }) {
  const session = useSession().data;
  const navigate = useNavigate();
  const pages: SpotlightActionData[] = definition.pages.flatMap(({ path, nav, permission }) =>
    nav === undefined || !may(session, permission)
      ? []
      : [{ id: path, label: nav.label, leftSection: <nav.icon size={18} stroke={1.6} />, onClick: () => void navigate(`/${path}`) }],
  );
  const actions: SpotlightActionData[] = definition.actions
    .filter((a) => may(session, a.permission))
    .map((a) => ({ id: a.id, label: a.label, leftSection: <a.icon size={18} stroke={1.6} />, onClick: () => void navigate(a.to) }));
  return (
    <Spotlight
      shortcut={['mod + K']}
      tagsToIgnore={[]}
      highlightQuery
      scrollable
      nothingFound={text.shell.searchEmpty}
      attributes={{ content: { 'aria-label': text.shell.searchShort } }}
      actions={[
        { group: text.shell.pages, actions: pages },
        ...(actions.length > 0 ? [{ group: text.shell.actions, actions }] : []),
      ]}
      searchProps={{ leftSection: <IconSearch size={18} aria-hidden />, placeholder: text.shell.search, 'aria-label': text.shell.search }}
    />
  );
}
