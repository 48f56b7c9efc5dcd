import { Button, PasswordInput, Stack } from '@mantine/core';
import { useState, type FormEvent } from 'react';

import { api, operatorToken } from '../../api/client';
import { meKey, queryClient, useWrite } from '../../api/hooks';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text } from '../../text/en';
import { OpenPage } from './OpenPage';

/** On the admin address a token takes the place of user and password. */
export function OperatorLogIn() {
  const [token, setToken] = useState('');
  const check = useWrite((t: string) => api.GET('/v1/cluster', { headers: { Authorization: `Bearer ${t}` } }), {
    failed: 'self',
    open: true,
    onSuccess: (_, t) => {
      operatorToken.set(t);
      void queryClient.invalidateQueries({ queryKey: meKey });
    },
  });
  const [noToken, setNoToken] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    // Such a header cannot be sent at all.
    const unsendable = !/^[ -~]+$/.test(token.trim());
    setNoToken(unsendable);
    if (unsendable) check.reset();
    else check.mutate(token.trim());
  };
  const wrong = noToken || check.error?.status === 401;
  return (
    <OpenPage title={text.login.admin} description={text.login.tokenHint}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <PasswordInput label={text.login.token} required withAsterisk={false} autoFocus autoComplete="off" value={token} onChange={(e) => setToken(e.currentTarget.value)} error={wrong ? text.login.tokenWrong : undefined} />
          {check.error !== null && !wrong && <ProblemAlert error={check.error} />}
          <Button type="submit" size="md" loading={check.isPending}>{text.login.submit}</Button>
        </Stack>
      </form>
    </OpenPage>
  );
}
