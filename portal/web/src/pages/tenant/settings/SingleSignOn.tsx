import { Anchor, Box, Button, Group, PasswordInput, Select, Skeleton, Stack, Switch, TagsInput, Text, TextInput } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';
import { Link } from 'react-router';

import { api, type Schemas } from '../../../api/client';
import { useApi, useWrite } from '../../../api/hooks';
import { isProblem } from '../../../api/problem';
import { useMay } from '../../../api/session';
import { ConfirmByName } from '../../../parts/ConfirmByName';
import { EmptyState } from '../../../parts/EmptyState';
import { Facts } from '../../../parts/Facts';
import { ProblemAlert } from '../../../parts/ProblemAlert';
import { Snippet } from '../../../parts/Snippet';
import { When } from '../../../parts/When';
import { hostURL, site } from '../../../site';
import { text as shared } from '../../../text/en';
import { settingsText } from '../../../text/en-tenant-settings';
import { useTenantPlan } from './Plan';

const text = settingsText.sso;
type SSO = Schemas['SSO'];
type NewSSO = Schemas['NewSSO'];
type SSORole = NonNullable<NewSSO['default_role']>;

const roles: readonly SSORole[] = ['', 'viewer', 'billing', 'admin'];

/** Single sign-on: part of the plan Enterprise, told to all others. */
export default function SingleSignOn() {
  const plan = useTenantPlan();
  const sso = useApi(['sso'], (signal) => api.GET('/api/v1/sso', { signal }));
  const missing = isProblem(sso.error, 'not_found');
  const error = plan.error ?? (missing ? null : sso.error);
  if (error !== null) return <ProblemAlert error={error} onRetry={() => void Promise.all([plan.refetch(), sso.refetch()])} />;
  if (plan.data === undefined || sso.isPending) return <Skeleton h={240} />;
  const settings = missing ? undefined : sso.data;
  if (plan.data.plan !== 'enterprise' && settings === undefined) {
    return (
      <Box className="card">
        <EmptyState title={text.notInPlan} icon={<IconLock size={22} stroke={1.5} />} action={<Anchor component={Link} to="/settings" size="sm">{text.toPlans}</Anchor>}>
          {text.notInPlanText}
        </EmptyState>
      </Box>
    );
  }
  return (
    <Stack gap="md" maw={720}>
      <Text size="sm" c="dimmed">{text.text}</Text>
      <Facts title={text.title} facts={settings === undefined ? [] : [[text.changed, <span key="c"><When at={settings.updated_at} /> {text.by(settings.updated_by)}</span>]]}>
        <Text size="sm" c="dimmed">{text.redirect}</Text>
        <Snippet label={text.redirect}>{settings?.redirect_uri ?? hostURL(site.tenant, '/api/v1/sso/callback')}</Snippet>
        {settings !== undefined && (
          <>
            <Text size="sm" c="dimmed">{text.loginURL}</Text>
            <Snippet label={text.loginURL}>{settings.login_url}</Snippet>
            <Text size="sm">{settings.owners ? text.owners : text.noOwners}</Text>
          </>
        )}
      </Facts>
      <Form key={settings?.updated_at} was={settings} />
    </Stack>
  );
}

function Form({ was }: { was: SSO | undefined }) {
  const manages = useMay('manage_settings');
  const [removing, setRemoving] = useState(false);
  const [values, setValues] = useState<NewSSO>({
    issuer: was?.issuer ?? '',
    client_id: was?.client_id ?? '',
    client_secret: '',
    email_domains: was?.email_domains ?? [],
    default_role: was?.default_role ?? '',
    enforce: was?.enforce ?? false,
  });
  const change = (some: Partial<NewSSO>): void => setValues({ ...values, ...some });
  const save = useWrite((body: NewSSO) => api.PUT('/api/v1/sso', { body }), { stale: ['sso', 'login-ways'], done: text.saved, failed: 'self' });
  const remove = useWrite(() => api.DELETE('/api/v1/sso'), { stale: ['sso', 'login-ways'], done: text.removed, failed: 'self', onSuccess: () => setRemoving(false) });
  const { error } = save;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const { client_secret: secret, default_role: role, ...rest } = values;
    save.mutate({ ...rest, ...(secret === '' ? {} : { client_secret: secret }), ...(role === '' ? {} : { default_role: role }) });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md" className="card" p="md">
        <TextInput label={text.issuer} description={text.issuerHint} type="url" required withAsterisk={false} disabled={!manages} value={values.issuer} error={error?.field('issuer')} onChange={(e) => change({ issuer: e.currentTarget.value })} />
        <TextInput label={text.clientId} required withAsterisk={false} autoComplete="off" disabled={!manages} value={values.client_id} error={error?.field('client_id')} onChange={(e) => change({ client_id: e.currentTarget.value })} />
        <PasswordInput label={text.clientSecret} description={was === undefined ? undefined : text.secretKept} autoComplete="off" disabled={!manages} value={values.client_secret} error={error?.field('client_secret')} onChange={(e) => change({ client_secret: e.currentTarget.value })} />
        <TagsInput label={text.domains} description={text.domainsHint} disabled={!manages} value={values.email_domains} splitChars={[',', ' ']} acceptValueOnBlur error={error?.field('email_domains')} onChange={(email_domains) => change({ email_domains })} />
        <Select label={text.role} allowDeselect={false} disabled={!manages} value={values.default_role} data={roles.map((r) => ({ value: r, label: r === '' ? text.roleNone : shared.roles[r].name }))} onChange={(role) => change({ default_role: role ?? '' })} />
        <Switch label={text.enforce} disabled={!manages} checked={values.enforce} onChange={(e) => change({ enforce: e.currentTarget.checked })} />
        {error !== null && <ProblemAlert error={error} />}
        {manages && (
          <Group justify="space-between">
            {was === undefined ? <span /> : <Button variant="default" onClick={() => setRemoving(true)}>{text.remove}</Button>}
            <Button type="submit" loading={save.isPending}>{text.save}</Button>
          </Group>
        )}
      </Stack>
      <ConfirmByName opened={removing} onClose={() => setRemoving(false)} title={text.removeTitle} action={text.remove} busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate(undefined)}>
        {text.removeText}
      </ConfirmByName>
    </form>
  );
}
