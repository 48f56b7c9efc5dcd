import { Alert, Anchor, Button, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconMail } from '@tabler/icons-react';
import { Link } from 'react-router';

import { api } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { bindTo, FormProblem } from '../../parts/form';
import { text } from '../../text/en';
import { OpenPage } from './OpenPage';
import { asksVendor, rememberedVendor, vendorMember } from './vendor-id';

/** Asks for a link to set a new password. Whether there is such a user stays untold. */
export default function Reset() {
  const form = useForm({ mode: 'uncontrolled', initialValues: { vendor: rememberedVendor(), email: '' } });
  const ask = useWrite(
    ({ vendor, email }: { vendor: string; email: string }) => api.POST('/api/v1/password/reset', { body: { ...vendorMember(vendor), email } }),
    { failed: 'self', open: true },
  );
  const bind = bindTo(form, ask.error);
  return (
    <OpenPage title={text.reset.title} description={text.reset.text}>
      {ask.isSuccess ? (
        <Alert icon={<IconMail />} variant="outline" role="status">{text.reset.done}</Alert>
      ) : (
        <form onSubmit={form.onSubmit((values) => ask.mutate(values))}>
          <Stack gap="md">
            {asksVendor && <TextInput label={text.login.vendorId} required withAsterisk={false} key={form.key('vendor')} {...bind('vendor', 'vendor_id')} />}
            <TextInput label={text.login.email} type="email" required withAsterisk={false} autoComplete="username" autoFocus key={form.key('email')} {...bind('email')} />
            <FormProblem error={ask.error} shown={asksVendor ? ['vendor_id', 'email'] : ['email']} />
            <Button type="submit" size="md" loading={ask.isPending}>{text.reset.submit}</Button>
          </Stack>
        </form>
      )}
      <Anchor component={Link} to="/login" size="sm" ta="center">{text.reset.back}</Anchor>
    </OpenPage>
  );
}
