import { Alert, Anchor, Button, PasswordInput, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconUserCircle } from '@tabler/icons-react';
import { useEffect, useState, type FormEvent } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';

import { api } from '../../api/client';
import { notifyFailure, useWrite } from '../../api/hooks';
import { useSession } from '../../api/session';
import { endSession } from '../../app/log-out';
import { FormProblem } from '../../parts/form';
import { text } from '../../text/en';
import { OpenPage } from './OpenPage';
import { rememberVendor } from './vendor-id';

const minPassword = 12;

/** Where the link of an invitation or a reset leads: set a password. */
export default function Welcome() {
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const [{ token, vendor }] = useState(() => ({ token: params.get('token') ?? '', vendor: params.get('vendor_id') }));
  const other = useSession().data?.user;
  const [password, setPassword] = useState('');
  const [touched, setTouched] = useState(false);
  // Nobody finds the token in the address bar or in the history.
  useEffect(() => void navigate('/welcome', { replace: true }), [navigate]);
  const leave = async (email: string): Promise<void> => {
    if (other !== undefined) await endSession();
    await navigate('/login', { replace: true, state: { email } });
  };
  const set = useWrite(
    (p: string) => api.POST('/api/v1/password', { body: { ...(vendor === null ? {} : { vendor_id: vendor }), token, password: p } }),
    {
      failed: 'self',
      open: true,
      onSuccess: ({ email }) => {
        if (vendor !== null) rememberVendor(vendor);
        notifications.show({ message: text.welcome.done, color: 'teal' });
        leave(email).catch(notifyFailure);
      },
    },
  );
  if (token === '') {
    return (
      <OpenPage title={text.welcome.title} description={text.welcome.noToken}>
        <Button component={Link} to="/reset">{text.welcome.newLink}</Button>
      </OpenPage>
    );
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setTouched(true);
    if (password.length >= minPassword) set.mutate(password);
  };
  const short = touched && password.length < minPassword ? text.welcome.tooShort : undefined;
  const over = set.error?.field('token') !== undefined;
  return (
    <OpenPage title={text.welcome.title} description={text.welcome.text}>
      {other !== undefined && <Alert variant="outline" color="yellow" icon={<IconUserCircle />}>{text.welcome.loggedIn(other.name, other.email)}</Alert>}
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <PasswordInput label={text.welcome.password} autoComplete="new-password" autoFocus value={password} onChange={(e) => setPassword(e.currentTarget.value)} error={short ?? set.error?.field('password')} />
          {over && <Text size="sm" c="var(--mantine-color-error)" role="alert">{text.welcome.tokenOver} <Anchor inherit component={Link} to="/reset" underline="always">{text.welcome.newLink}</Anchor></Text>}
          <FormProblem error={set.error} shown={['token', 'password']} />
          <Button type="submit" size="md" loading={set.isPending}>{text.welcome.submit}</Button>
        </Stack>
      </form>
    </OpenPage>
  );
}
