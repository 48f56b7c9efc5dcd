import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

const accent: MantineColorsTuple = [
  '#eef2ff', '#dfe5fd', '#bcc8fa', '#94a7f6', '#7189f2', '#566fee', '#4a60e6', '#3f51d3', '#3646b3', '#2c3a92',
];

// Mantine's own dark greys are brownish beside the accent.
const dark: MantineColorsTuple = [
  '#e3e6eb', '#bcc3ce', '#a3abb8', '#7a8391', '#363b46', '#2a2f38', '#22262e', '#1a1d23', '#16181d', '#111318',
];

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 7, dark: 7 },
  colors: { accent, dark },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  focusRing: 'auto',
  fontFamily: 'Inter, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.875rem', md: '0.9375rem', lg: '1.0625rem', xl: '1.25rem' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '1.375rem', lineHeight: '1.75rem' },
      h2: { fontSize: '1.0625rem', lineHeight: '1.5rem' },
      h3: { fontSize: '0.9375rem', lineHeight: '1.375rem' },
    },
  },
  components: {
    Card: { defaultProps: { withBorder: true, padding: 'md' } },
    // Mantine's <header> in a dialog would be a second banner of the page.
    Modal: { defaultProps: { centered: true, attributes: { header: { role: 'none' } }, overlayProps: { backgroundOpacity: 0.4 }, closeButtonProps: { 'aria-label': 'Close' } } },
    Drawer: { defaultProps: { attributes: { header: { role: 'none' } }, closeButtonProps: { 'aria-label': 'Close' } } },
    Notification: { defaultProps: { closeButtonProps: { 'aria-label': 'Dismiss' } } },
    Tooltip: { defaultProps: { events: { hover: true, focus: true, touch: true }, openDelay: 250 } },
    Fieldset: { defaultProps: { mx: 0 } },
    Anchor: { defaultProps: { underline: 'hover' } },
  },
});

/** Mantine's greys and reds are too faint for text: 4.5 : 1 is the least. */
export const colorVariables: CSSVariablesResolver = (t) => ({
  variables: {
    '--portal-commit': '#3b6fd4',
    '--portal-overage': '#d9730d',
    '--portal-refused': '#d64545',
  },
  light: {
    '--mantine-color-dimmed': '#5a6270',
    '--mantine-color-placeholder': '#667080',
    '--mantine-color-error': '#c02a2a',
    '--mantine-color-anchor': t.colors['accent']?.[7] ?? '#3f51d3',
    '--mantine-color-accent-light-color': t.colors['accent']?.[8] ?? '#3646b3',
    '--mantine-color-default-border': '#dfe2e8',
    '--portal-canvas': '#f7f8fa',
    '--portal-card': '#ffffff',
    '--portal-good': '#1a7f4b',
    '--portal-warn': '#a75f00',
    '--portal-bad': '#c02a2a',
    '--portal-quiet': '#667080',
  },
  dark: {
    '--mantine-color-dimmed': '#a3abb8',
    '--mantine-color-placeholder': '#98a1af',
    '--mantine-color-error': '#ff8787',
    '--mantine-color-anchor': t.colors['accent']?.[3] ?? '#94a7f6',
    '--mantine-color-accent-light-color': t.colors['accent']?.[2] ?? '#bcc8fa',
    '--mantine-color-default-border': '#31353f',
    '--portal-canvas': '#111318',
    '--portal-card': '#1a1d23',
    '--portal-good': '#5cc98d',
    '--portal-warn': '#f0b35a',
    '--portal-bad': '#ff8787',
    '--portal-quiet': '#98a1af',
  },
});
