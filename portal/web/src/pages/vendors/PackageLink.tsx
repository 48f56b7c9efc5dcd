import { IconDownload } from '@tabler/icons-react';

import { api } from '../../api/client';
import { DownloadButton } from '../../parts/DownloadButton';

/** The signed package of a license, as a file. */
export function PackageLink({ id, children }: { id: string; children: string }) {
  return (
    <DownloadButton
      variant="default"
      leftSection={<IconDownload size={16} />}
      name={`${id}.jws`}
      read={() => api.GET('/packages/{id}', { params: { path: { id } }, parseAs: 'blob' })}
    >
      {children}
    </DownloadButton>
  );
}
