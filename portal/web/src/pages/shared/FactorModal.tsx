import { Anchor, Button, Group, Modal, PasswordInput, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { QRCodeSVG } from 'qrcode.react';
import { useEffect, useState, type FormEvent } from 'react';

import { api } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { FormProblem } from '../../parts/form';
import { Snippet } from '../../parts/Snippet';
import { text } from '../../text/en';

/** Dark on white in both themes, with the four free modules around it that scanners need. */
const codePixels = 192;

/** Sets a second factor up: a secret for the app, and a code that proves it arrived. */
export function FactorModal({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={text.account.factorTitle}>
      <SetUp onClose={onClose} />
    </Modal>
  );
}

function SetUp({ onClose }: { onClose: () => void }) {
  const [code, setCode] = useState('');
  const begin = useWrite(() => api.POST('/api/v1/me/totp'), { failed: 'self' });
  const confirm = useWrite((c: string) => api.POST('/api/v1/me/totp/confirm', { body: { code: c } }), {
    stale: ['me', 'users'],
    done: text.account.factorDone,
    failed: 'self',
    onSuccess: onClose,
  });
  const { mutate } = begin;
  useEffect(() => mutate(undefined), [mutate]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    confirm.mutate(code.trim());
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm">{text.account.factorScan}</Text>
        {begin.data === undefined ? <Skeleton h={codePixels} w={codePixels} mx="auto" /> : (
          <QRCodeSVG value={begin.data.otpauth_url} size={codePixels} marginSize={4} title={text.account.factorCode} role="img" style={{ alignSelf: 'center', borderRadius: 'var(--mantine-radius-sm)' }} />
        )}
        {begin.data === undefined ? <Skeleton h={42} /> : <Snippet label={text.account.factorSecret}>{begin.data.secret}</Snippet>}
        {begin.data !== undefined && <Anchor size="sm" href={begin.data.otpauth_url}>{text.account.factorOpen}</Anchor>}
        <TextInput data-autofocus label={text.login.totp} inputMode="numeric" autoComplete="one-time-code" maxLength={6} className="num" value={code} onChange={(e) => setCode(e.currentTarget.value)} error={confirm.error?.field('code')} />
        <FormProblem error={begin.error ?? confirm.error} shown={['code']} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{text.actions.cancel}</Button>
          <Button type="submit" loading={confirm.isPending} disabled={code.trim().length !== 6}>{text.account.factorConfirm}</Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Removes the second factor, by a code of it or, where the app is lost, by the password. */
export function RemoveFactorModal({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={text.account.factorTitle}>
      <Remove onClose={onClose} />
    </Modal>
  );
}

function Remove({ onClose }: { onClose: () => void }) {
  const [proof, setProof] = useState('');
  const [by, setBy] = useState<'code' | 'password'>('code');
  const remove = useWrite(() => api.DELETE('/api/v1/me/totp', { body: by === 'code' ? { code: proof.trim() } : { password: proof } }), {
    stale: ['me', 'users'],
    done: text.account.factorRemoved,
    failed: 'self',
    onSuccess: onClose,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    remove.mutate(undefined);
  };
  const swap = (): void => {
    setBy(by === 'code' ? 'password' : 'code');
    setProof('');
    remove.reset();
  };
  const wrong = remove.error?.field(by);
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm">{text.account.factorRemoveText}</Text>
        {by === 'code' ? (
          <TextInput data-autofocus label={text.login.totp} inputMode="numeric" autoComplete="one-time-code" maxLength={6} className="num" value={proof} onChange={(e) => setProof(e.currentTarget.value)} error={wrong} />
        ) : (
          <PasswordInput label={text.login.password} autoComplete="current-password" value={proof} onChange={(e) => setProof(e.currentTarget.value)} error={wrong} />
        )}
        <Anchor component="button" type="button" size="sm" ta="left" onClick={swap}>{by === 'code' ? text.account.factorByPassword : text.account.factorByCode}</Anchor>
        <FormProblem error={remove.error} shown={[by]} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{text.actions.cancel}</Button>
          <Button type="submit" color="red.9" loading={remove.isPending} disabled={proof === ''}>{text.account.factorRemove}</Button>
        </Group>
      </Stack>
    </form>
  );
}
