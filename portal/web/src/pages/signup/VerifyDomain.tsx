import { Alert, Anchor, Button, Group, Loader, Stack, Stepper, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconCircleCheck } from '@tabler/icons-react';
import { useEffect } from 'react';

import { isProblem, unwrap, type Answer, type Problem } from '../../api/problem';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { Snippet } from '../../parts/Snippet';
import { When } from '../../parts/When';
import { apexText as text } from '../../text/en-apex';
import { OpenPage } from '../shared/OpenPage';
import { forgetPending, type Pending } from './pending';

/** Somebody is setting the record at first; later it is on its way. */
const lookMillis = 5_000;
const slowLookMillis = 60_000;
const slower = 1.2;

interface Props {
  pending: Pending;
  /** Asks the API to look the record up. */
  verify: (pending: Pending, signal: AbortSignal) => Promise<Answer<{ admin_login: string }>>;
  onAgain: () => void;
}

type Look = { done: true; login: string } | { done: false };

/** The record to set, and a look for it every few seconds until it is found. */
export function VerifyDomain({ pending, verify, onAgain }: Props) {
  const look = useQuery<Look, Problem>({
    queryKey: ['verify', pending.id, pending.recordValue],
    queryFn: async ({ signal }) => {
      try {
        const verified = await unwrap(verify(pending, signal));
        return { done: true, login: verified.admin_login };
      } catch (error) {
        if (isProblem(error, 'verification_pending')) return { done: false };
        throw error;
      }
    },
    staleTime: 0,
    refetchInterval: ({ state }) => {
      if (state.data?.done === true) return false;
      if (state.error !== null && !state.error.retryable) return false;
      return Math.max(Math.min(lookMillis * slower ** state.dataUpdateCount, slowLookMillis), (state.error?.retryAfterSeconds ?? 0) * 1000);
    },
  });
  const done = look.data?.done === true;
  useEffect(() => {
    if (done) forgetPending();
  }, [done]);
  const over = look.error !== null && ['not_found', 'verification_failed', 'tenant_not_found'].includes(look.error.code);
  return (
    <OpenPage width={640} title={done ? text.verify.verified : text.verify.title} description={done ? undefined : text.verify.description(pending.domain)}>
      <Steps done={done} />
      {look.data?.done === true ? (
        <Done email={pending.email} login={look.data.login} />
      ) : (
        <Stack gap="md">
          <Record pending={pending} />
          {over && <Alert variant="outline" color="yellow">{text.verify.over}</Alert>}
          {look.error !== null && !over && <ProblemAlert error={look.error} onRetry={() => void look.refetch()} />}
          {look.error === null && <Waiting checked={look.dataUpdatedAt} busy={look.isFetching} onLook={() => void look.refetch()} />}
          <Anchor component="button" type="button" size="sm" onClick={onAgain} style={{ alignSelf: 'flex-start' }}>{text.verify.again}</Anchor>
        </Stack>
      )}
    </OpenPage>
  );
}

function Steps({ done }: { done: boolean }) {
  const { steps } = text.verify;
  return (
    <Stepper active={done ? 4 : 1} size="xs" iconSize={28} allowNextStepsSelect={false} aria-label={text.verify.stepsLabel} wrap={false}
      styles={{ stepBody: { marginInlineStart: 6 }, separator: { marginInline: 6 } }}>
      {[steps.register, steps.record, steps.found, steps.mail].map((label) => (
        <Stepper.Step key={label} label={<Text span inherit visibleFrom="xs">{label}</Text>} aria-label={label} />
      ))}
    </Stepper>
  );
}

function Record({ pending }: { pending: Pending }) {
  const rows: [string, string][] = [
    [text.verify.name, pending.recordName],
    [text.verify.value, pending.recordValue],
  ];
  return (
    <Stack gap="xs">
      <Text size="sm"><Text span inherit c="dimmed">{text.verify.type}</Text> <span className="mono">TXT</span></Text>
      {rows.map(([name, value]) => (
        <Stack key={name} gap={2}>
          <Text size="sm" c="dimmed">{name}</Text>
          <Snippet label={name}>{value}</Snippet>
        </Stack>
      ))}
    </Stack>
  );
}

function Waiting({ checked, busy, onLook }: { checked: number; busy: boolean; onLook: () => void }) {
  return (
    <Stack gap={4} className="card" p="md">
      <Group justify="space-between">
        <Group gap="xs"><Loader size={16} aria-hidden /><Text fw={500} size="sm" role="status">{text.verify.waiting}</Text></Group>
        <Button size="xs" variant="default" loading={busy} onClick={onLook}>{text.verify.checkNow}</Button>
      </Group>
      {checked > 0 && <Text size="xs" c="dimmed" component="div">{text.verify.checked} <When at={new Date(checked).toISOString()} /></Text>}
      <Text size="xs" c="dimmed">{text.verify.waitingText}</Text>
    </Stack>
  );
}

function Done({ email, login }: { email: string; login: string }) {
  return (
    <Stack gap="md" align="flex-start">
      <Group gap="xs" wrap="nowrap" role="status">
        <IconCircleCheck color="var(--portal-good)" style={{ flex: 'none' }} aria-hidden />
        <Text size="sm">{text.verify.mailed(email)}</Text>
      </Group>
      <Button component="a" href={login}>{text.verify.open}</Button>
    </Stack>
  );
}
