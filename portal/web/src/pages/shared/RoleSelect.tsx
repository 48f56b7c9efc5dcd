import { Radio, Stack } from '@mantine/core';
import type { ReactNode } from 'react';

import type { Schemas } from '../../api/client';
import { useMay } from '../../api/session';
import { text } from '../../text/en';

type Role = Schemas['Role'];

const roles: readonly Role[] = ['owner', 'admin', 'billing', 'viewer'];

/** The roles that who is logged in may give. */
export function RoleSelect({ value, defaultValue, error, onChange }: { value?: Role; defaultValue?: Role; error?: ReactNode; onChange: (role: Role) => void }) {
  const ownersToo = useMay('manage_owners');
  return (
    <Radio.Group label={text.users.role} value={value} defaultValue={defaultValue} error={error} onChange={(role) => onChange(role as Role)}>
      <Stack gap="xs" mt={6}>
        {roles.filter((r) => r !== 'owner' || ownersToo).map((r) => <Radio key={r} value={r} label={text.roles[r].name} description={text.roles[r].text} />)}
      </Stack>
    </Radio.Group>
  );
}
