import { Text, type TextProps } from '@mantine/core';

/** Words on one line, never broken: what has no room ends in "…" and is whole on hover. */
export function Clip({ children, ...props }: Omit<TextProps, 'children' | 'truncate'> & { children: string }) {
  return <Text component="div" inherit={props.size === undefined} truncate title={children} {...props}>{children}</Text>;
}
