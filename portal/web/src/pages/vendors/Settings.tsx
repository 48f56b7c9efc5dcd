import { Avatar, Button, ColorInput, Group, PasswordInput, SimpleGrid, Skeleton, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { useState, type FormEvent, type ReactNode } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import type { Problem } from '../../api/problem';
import { useMay } from '../../api/session';
import { FormProblem } from '../../parts/form';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { settingsText } from '../../text/en-vendors-settings';
import { useSettings, type Settings as Values } from './data';
import { WhiteLabel } from './WhiteLabel';

const text = settingsText.settings;
type Change = Schemas['VendorSettingsChange'];

/** The vendor's settings, a form each for what belongs together. */
export default function Settings() {
  const query = useSettings();
  const s = query.data;
  return (
    <>
      <PageHeader title={text.title} description={text.description} />
      {query.error !== null && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
      {s === undefined && query.error === null && <Skeleton h={320} />}
      {s !== undefined && (
        <Stack gap="md" maw={880}>
          <Company settings={s} />
          <Branding settings={s} />
          <WhiteLabel settings={s} />
          <InvoiceWebhook settings={s} />
        </Stack>
      )}
    </>
  );
}

/** Saves a part of the settings. */
export function useSettingsChange(onSuccess?: () => void) {
  return useWrite((body: Change) => api.PATCH('/api/v1/settings', { body }), { stale: ['settings', 'me'], done: text.saved, failed: 'self', onSuccess });
}

/** A card with a form; those who may not change settings see its fields disabled. */
export function SettingsCard({ title, description, children, onSave, busy, error, shown }: {
  title: string;
  description?: string;
  children: ReactNode;
  onSave: () => void;
  busy: boolean;
  error: Problem | null;
  /** Pointers of the fields that have an input. */
  shown: readonly string[];
}) {
  const manages = useMay('manage_settings');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSave();
  };
  return (
    <form onSubmit={submit} aria-label={title} className="card">
      <fieldset disabled={!manages} style={{ border: 0, margin: 0, padding: 16, minWidth: 0 }}>
        <Stack gap="sm">
          <div>
            <Title order={2}>{title}</Title>
            {description !== undefined && <Text size="sm" c="dimmed">{description}</Text>}
          </div>
          {children}
          <FormProblem error={error} shown={shown} />
          {manages && <Group justify="flex-end"><Button type="submit" loading={busy}>{shared.actions.save}</Button></Group>}
        </Stack>
      </fieldset>
    </form>
  );
}

function Company({ settings: s }: { settings: Values }) {
  const [name, setName] = useState(s.display_name);
  const [provision, setProvision] = useState(s.auto_provision);
  const save = useSettingsChange();
  return (
    <SettingsCard title={text.company} onSave={() => save.mutate({ display_name: name.trim(), auto_provision: provision })} busy={save.isPending} error={save.error} shown={['display_name']}>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <TextInput label={text.vendorId} value={s.vendor_id} readOnly variant="filled" />
        <TextInput label={text.prefix} value={s.license_prefix} readOnly variant="filled" />
        <TextInput label={text.region} value={s.region} readOnly variant="filled" />
      </SimpleGrid>
      <TextInput label={text.name} required withAsterisk={false} maxLength={300} value={name} error={save.error?.field('display_name')} onChange={(e) => setName(e.currentTarget.value)} />
      <Switch label={text.provision} checked={provision} onChange={(e) => setProvision(e.currentTarget.checked)} />
    </SettingsCard>
  );
}

const swatches = ['#3f51d3', '#0a5fb4', '#0b7285', '#1a7f4b', '#a75f00', '#c02a2a', '#862e9c', '#343a40'];

function Branding({ settings: { branding, display_name: company } }: { settings: Values }) {
  const [form, setForm] = useState({ name: branding.name, color: branding.color, logo_url: branding.logo_url });
  const set = (change: Partial<typeof form>): void => setForm((old) => ({ ...old, ...change }));
  const save = useSettingsChange();
  const name = form.name.trim() || company;
  const noColor = form.color !== '' && !/^#[0-9a-f]{6}$/i.test(form.color);
  const noLogo = form.logo_url !== '' && !/^https:\/\/./i.test(form.logo_url);
  const send = (): void => {
    if (!noColor && !noLogo) save.mutate({ branding: form });
  };
  return (
    <SettingsCard title={text.branding} description={text.brandingText} onSave={send} busy={save.isPending} error={save.error} shown={['branding/name', 'branding/color', 'branding/logo_url']}>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput label={text.brandName} maxLength={100} value={form.name} error={save.error?.field('branding/name')} onChange={(e) => set({ name: e.currentTarget.value })} />
        <ColorInput label={text.color} placeholder={text.colorHint} format="hex" fixOnBlur={false} swatches={swatches} value={form.color} error={noColor ? text.colorWrong : save.error?.field('branding/color')} onChange={(color) => set({ color: color.trim() })} eyeDropperButtonProps={{ 'aria-label': text.color }} />
      </SimpleGrid>
      <TextInput label={text.logo} type="url" placeholder="https://" maxLength={2048} value={form.logo_url} error={noLogo ? text.logoWrong : save.error?.field('branding/logo_url')} onChange={(e) => set({ logo_url: e.currentTarget.value.trim() })} />
      <Group gap="sm" aria-label={text.preview} role="group">
        <Avatar key={form.logo_url} src={form.logo_url === '' || noLogo ? null : form.logo_url} alt="" radius="md" name={name} color={form.color === '' || noColor ? 'accent' : form.color} variant="filled" autoContrast />
        <Text fw={600}>{name}</Text>
      </Group>
    </SettingsCard>
  );
}

function InvoiceWebhook({ settings: { invoice_webhook: hook } }: { settings: Values }) {
  const [url, setUrl] = useState(hook.url);
  const [token, setToken] = useState('');
  const save = useSettingsChange(() => setToken(''));
  return (
    <SettingsCard
      title={text.invoices}
      description={text.invoicesText}
      onSave={() => save.mutate({ invoice_webhook: { ...(url === hook.url ? {} : { url: url.trim() }), ...(token === '' ? {} : { bearer_token: token }) } })}
      busy={save.isPending}
      error={save.error}
      shown={['invoice_webhook/url', 'invoice_webhook/bearer_token']}
    >
      <TextInput label={text.url} type="url" placeholder="https://" maxLength={2048} value={url} error={save.error?.field('invoice_webhook/url')} onChange={(e) => setUrl(e.currentTarget.value)} />
      <PasswordInput label={text.token} description={hook.bearer_token_set ? text.tokenSet : text.tokenUnset} autoComplete="new-password" maxLength={4096} value={token} error={save.error?.field('invoice_webhook/bearer_token')} onChange={(e) => setToken(e.currentTarget.value)} />
    </SettingsCard>
  );
}
