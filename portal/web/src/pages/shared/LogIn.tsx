import { Anchor, Button, Divider, Group, PasswordInput, PinInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { Link, Navigate, useLocation, useNavigate, useSearchParams } from 'react-router';

import { api } from '../../api/client';
import { queryClient, useWrite } from '../../api/hooks';
import { useLoginWays } from '../../api/login-ways';
import type { Problem } from '../../api/problem';
import { useSession } from '../../api/session';
import { announceSession } from '../../api/tabs';
import { nextPath, returnPath } from '../../app/guards';
import { bindTo, FormProblem } from '../../parts/form';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { site } from '../../site';
import { text } from '../../text/en';
import { OpenPage } from './OpenPage';
import { OperatorLogIn } from './OperatorLogIn';
import { asksVendor, rememberVendor, rememberedVendor, vendorMember } from './vendor-id';

interface Credentials {
  vendor: string;
  email: string;
  password: string;
}

/** Log-in by password, with the second factor where there is one, or by single sign-on. */
export default function LogIn() {
  const session = useSession().data;
  const [params] = useSearchParams();
  if (session !== null && session !== undefined) return <Navigate replace to={nextPath(params.get('next'))} />;
  return site.name === 'admin' ? <OperatorLogIn /> : <PeopleLogIn />;
}

function title(company: string): string {
  if (site.name === 'vendors') return text.login.vendors;
  return text.login.tenant(company === '' ? site.tenant : company);
}

function PeopleLogIn() {
  const ways = useLoginWays().data;
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<Credentials>();
  const logIn = useWrite(
    ({ vendor, email, password, totp }: Credentials & { totp?: string }) =>
      api.POST('/api/v1/login', { body: { ...vendorMember(vendor), email, password, ...(totp === undefined ? {} : { totp }) } }),
    {
      failed: 'self',
      open: true,
      onSuccess: ({ user }, { vendor }) => {
        announceSession(user.id);
        rememberVendor(vendor);
        queryClient.clear();
        void navigate(nextPath(params.get('next')), { replace: true });
      },
    },
  );
  const enter = (credentials: Credentials): void =>
    logIn.mutate(credentials, {
      onError: (problem) => {
        if (problem.field('totp') === undefined) return;
        setAsked(credentials);
        logIn.reset();
      },
    });
  if (asked !== undefined) {
    return (
      <SecondFactor
        busy={logIn.isPending}
        error={logIn.error}
        onCode={(totp) => logIn.mutate({ ...asked, totp })}
        onBack={() => {
          logIn.reset();
          setAsked(undefined);
        }}
      />
    );
  }
  const sso = ways?.sso ?? null;
  return (
    <OpenPage title={title(ways?.company_name ?? '')}>
      {sso !== null && <Button component="a" href={sso.login_url} onClick={() => returnPath.keep(nextPath(params.get('next')))} size="md" variant={sso.enforced ? 'filled' : 'default'}>{text.login.sso(sso.name)}</Button>}
      {sso !== null && <Divider label={sso.enforced ? text.login.ownersOnly : text.login.or} />}
      <PasswordForm busy={logIn.isPending} error={logIn.error} onEnter={enter} />
      {asksVendor && (
        <Text size="sm" c="dimmed" ta="center">{text.login.noAccount} <Anchor component={Link} to="/signup" underline="always">{text.login.vendorSignUp}</Anchor></Text>
      )}
    </OpenPage>
  );
}

function PasswordForm({ busy, error, onEnter }: { busy: boolean; error: Problem | null; onEnter: (c: Credentials) => void }) {
  const { email = '' } = (useLocation().state ?? {}) as { email?: string }; // of who has just set a password
  const form = useForm<Credentials>({ mode: 'uncontrolled', initialValues: { vendor: rememberedVendor(), email, password: '' } });
  const wrong = error?.code === 'unauthenticated';
  const bind = bindTo(form, error);
  return (
    <form onSubmit={form.onSubmit(onEnter)}>
      <Stack gap="md">
        {asksVendor && (
          <TextInput label={text.login.vendorId} description={text.login.vendorIdHint} required withAsterisk={false} autoComplete="organization" autoCapitalize="none" spellCheck={false} key={form.key('vendor')} {...bind('vendor', 'vendor_id')} />
        )}
        <TextInput label={text.login.email} type="email" required withAsterisk={false} autoComplete="username" autoFocus={email === ''} key={form.key('email')} {...bind('email')} />
        <PasswordInput label={text.login.password} required withAsterisk={false} autoComplete="current-password" autoFocus={email !== ''} key={form.key('password')} {...bind('password')} />
        {error !== null && (wrong ? <Text size="sm" c="var(--mantine-color-error)" role="alert">{error.message}</Text> : <FormProblem error={error} shown={asksVendor ? ['vendor_id', 'email', 'password'] : ['email', 'password']} />)}
        <Button type="submit" size="md" loading={busy}>{text.login.submit}</Button>
        <Anchor component={Link} to="/reset" size="sm" ta="center">{text.login.forgot}</Anchor>
      </Stack>
    </form>
  );
}

const codeDigits = 6;

function SecondFactor({ busy, error, onCode, onBack }: { busy: boolean; error: Problem | null; onCode: (code: string) => void; onBack: () => void }) {
  const [code, setCode] = useState('');
  const wrong = error?.code === 'unauthenticated';
  return (
    <OpenPage title={text.login.totpTitle} description={text.login.totpText}>
      <form onSubmit={(e) => { e.preventDefault(); onCode(code); }}>
        <Stack gap="md">
          <PinInput length={codeDigits} type="number" oneTimeCode autoFocus size="md" value={code} onChange={setCode} onComplete={onCode} error={wrong} getInputProps={(i) => ({ 'aria-label': `${text.login.totp} ${i + 1}` })} />
          {error !== null && (wrong ? <Text size="sm" c="var(--mantine-color-error)" role="alert">{text.login.totpWrong}</Text> : <ProblemAlert error={error} />)}
          <Group justify="space-between">
            <Button variant="default" onClick={onBack}>{text.login.back}</Button>
            <Button type="submit" loading={busy} disabled={code.length < codeDigits}>{text.login.submit}</Button>
          </Group>
        </Stack>
      </form>
    </OpenPage>
  );
}
