import { ActionIcon, useMantineColorScheme } from '@mantine/core';
import { IconDeviceDesktop, IconMoon, IconSun } from '@tabler/icons-react';

import { text } from '../text/en';

const schemes = [
  { value: 'light', Icon: IconSun },
  { value: 'dark', Icon: IconMoon },
  { value: 'auto', Icon: IconDeviceDesktop },
] as const;

/** Goes from light to dark to the system's own, and says which it is. */
export function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const at = Math.max(0, schemes.findIndex((s) => s.value === colorScheme));
  const { value, Icon } = schemes[at] ?? schemes[0];
  const next = schemes[(at + 1) % schemes.length] ?? schemes[0];
  const label = text.shell.scheme.label(text.shell.scheme[value], text.shell.scheme[next.value]);
  return (
    <ActionIcon variant="default" size="lg" aria-label={label} title={label} onClick={() => setColorScheme(next.value)}>
      <Icon size={18} stroke={1.6} />
    </ActionIcon>
  );
}
