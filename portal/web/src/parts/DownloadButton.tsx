import { Button, type ButtonProps } from '@mantine/core';

import { useWrite } from '../api/hooks';
import type { Answer } from '../api/problem';

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/**
 * Saves a reply of the API as a file. It is read first, so that a refusal is
 * told as any other and does not end as a file.
 */
export function DownloadButton({ read, name, children, ...button }: ButtonProps & {
  /** Asks with parseAs: 'blob'. */
  read: () => Promise<Answer<unknown>>;
  name: string;
  children: string;
}) {
  const download = useWrite(read, { onSuccess: (blob) => blob instanceof Blob && save(blob, name) });
  return <Button {...button} loading={download.isPending} onClick={() => download.mutate(undefined)}>{children}</Button>;
}
