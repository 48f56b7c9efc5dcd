import { Button, Menu, Modal } from '@mantine/core';
import { IconBan, IconChevronDown, IconEdit, IconPlayerPause, IconPlayerPlay, IconSend } from '@tabler/icons-react';
import { useState } from 'react';

import { api } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { text as shared } from '../../text/en';
import { vendorText as text } from '../../text/en-vendors';
import { AmendLicense } from './AmendLicense';
import type { License } from './data';

const stale = ['licenses', 'overview'] as const;
type Question = 'amend' | 'suspend' | 'revoke';

/** What may be done to a license in its state. */
export function LicenseActions({ license }: { license: License }) {
  const manages = useMay('manage_licenses');
  const [asked, setAsked] = useState<Question>();
  const id = license.license_id;
  const path = { params: { path: { id } } };
  const close = (): void => setAsked(undefined);
  const provision = useWrite(
    () => api.POST('/api/v1/licenses/provision', { body: { license_id: id, customer: { crm_account_id: license.customer.crm_account_id } } }),
    { stale, done: (p) => (p.status === 'provisioned' ? text.license.provisioned(id) : text.license.waits(id)) },
  );
  const resume = useWrite(() => api.POST('/api/v1/licenses/{id}/resume', path), { stale, done: text.license.resumed(id) });
  const suspend = useWrite(() => api.POST('/api/v1/licenses/{id}/suspend', path), { stale, done: text.license.suspended(id), failed: 'self', onSuccess: close });
  const revoke = useWrite(() => api.POST('/api/v1/licenses/{id}/revoke', path), { stale, done: text.license.revoked(id), failed: 'self', onSuccess: close });
  if (!manages || license.status === 'revoked') return null;
  const { status } = license;
  return (
    <>
      {status === 'generated' && <Button leftSection={<IconSend size={16} />} loading={provision.isPending} onClick={() => provision.mutate(undefined)}>{text.license.provision}</Button>}
      {status === 'suspended' && <Button leftSection={<IconPlayerPlay size={16} />} loading={resume.isPending} onClick={() => resume.mutate(undefined)}>{text.license.resume}</Button>}
      <Menu position="bottom-end">
        <Menu.Target><Button variant="default" rightSection={<IconChevronDown size={14} />}>{shared.table.actions}</Button></Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconEdit size={16} />} onClick={() => setAsked('amend')}>{text.license.amend}</Menu.Item>
          {status === 'provisioned' && <Menu.Item leftSection={<IconPlayerPause size={16} />} onClick={() => setAsked('suspend')}>{text.license.suspend}</Menu.Item>}
          <Menu.Divider />
          <Menu.Item c="var(--portal-bad)" leftSection={<IconBan size={16} />} onClick={() => setAsked('revoke')}>{text.license.revoke}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={asked === 'amend'} onClose={close} title={text.license.amendTitle(id)} size="lg"><AmendLicense license={license} onClose={close} /></Modal>
      <ConfirmByName opened={asked === 'suspend'} onClose={close} title={text.license.suspendTitle(id)} name={id} action={text.license.suspend} busy={suspend.isPending} error={suspend.error} onConfirm={() => suspend.mutate(undefined)}>
        {text.license.suspendText}
      </ConfirmByName>
      <ConfirmByName opened={asked === 'revoke'} onClose={close} title={text.license.revokeTitle(id)} name={id} action={text.license.revoke} busy={revoke.isPending} error={revoke.error} onConfirm={() => revoke.mutate(undefined)}>
        {text.license.revokeText}
      </ConfirmByName>
    </>
  );
}
