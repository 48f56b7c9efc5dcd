import { Button, Group, Modal, Radio, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState, type FormEvent } from 'react';

import { api, type Schemas } from '../../api/client';
import { useApi, useWrite } from '../../api/hooks';
import { formatMoney } from '../../format';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { adminText } from '../../text/en-admin';
import type { Tenant } from './data';
import { planName } from './plan-name';

const text = adminText.tenant;
const stale = ['tenant', 'tenants'] as const;

type PlanName = Schemas['PlanName'];

/** What an operator may do with a tenant in its present state. */
export function TenantActions({ tenant }: { tenant: Tenant }) {
  const [asked, ask] = useDisclosure();
  const [planning, plan] = useDisclosure();
  const path = { tenant: tenant.id };
  const suspend = useWrite(() => api.PATCH('/v1/tenants/{tenant}', { params: { path }, body: { status: 'suspended' } }), {
    stale, failed: 'self', done: text.suspended(tenant.id), onSuccess: ask.close,
  });
  const resume = useWrite(() => api.PATCH('/v1/tenants/{tenant}', { params: { path }, body: { status: 'active' } }), { stale, done: text.resumed(tenant.id) });
  const keep = useWrite(() => api.DELETE('/v1/tenants/{tenant}/deletion', { params: { path } }), { stale, done: text.kept(tenant.id) });
  if (tenant.status === 'pending_verification') return null;
  if (tenant.status === 'deleting') {
    return <Button variant="default" loading={keep.isPending} onClick={() => keep.mutate(undefined)}>{text.keep}</Button>;
  }
  return (
    <>
      <Button variant="default" onClick={plan.open}>{text.changePlan}</Button>
      {tenant.status === 'suspended' ? (
        <Button loading={resume.isPending} onClick={() => resume.mutate(undefined)}>{text.resume}</Button>
      ) : (
        <Button variant="default" c="var(--portal-bad)" onClick={ask.open}>{text.suspend}</Button>
      )}
      <ConfirmByName
        opened={asked}
        onClose={ask.close}
        title={text.suspendTitle(tenant.id)}
        name={tenant.id}
        action={text.suspend}
        onConfirm={() => suspend.mutate(undefined)}
        busy={suspend.isPending}
        error={suspend.error}
      >
        {text.suspendText}
      </ConfirmByName>
      <Modal opened={planning} onClose={plan.close} title={text.changePlanTitle(tenant.id)}>
        <PlanForm tenant={tenant} onClose={plan.close} />
      </Modal>
    </>
  );
}

function PlanForm({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const plans = useApi(['operator-plans'], (signal) => api.GET('/v1/plans', { signal }), { staleTime: Infinity });
  const offered = plans.data?.items ?? [];
  const [chosen, setChosen] = useState<PlanName>();
  const change = useWrite((name: PlanName) => api.PATCH('/v1/tenants/{tenant}', { params: { path: { tenant: tenant.id } }, body: { plan: name } }), {
    stale, failed: 'self', done: (_, name) => text.planChanged(tenant.id, planName(name)), onSuccess: onClose,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (chosen !== undefined) change.mutate(chosen);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Radio.Group value={chosen ?? tenant.plan} onChange={(v) => setChosen(offered.find((p) => p.plan === v)?.plan)} label={adminText.tenants.plan} description={text.changePlanText}>
          <Stack gap="xs" mt="xs">
            {offered.map((p) => (
              <Radio key={p.plan} value={p.plan} label={planName(p.plan)} description={p.price_monthly === null ? text.planByAgreement : text.planMonthly(formatMoney(p.price_monthly, p.currency))} />
            ))}
          </Stack>
        </Radio.Group>
        {plans.error !== null && <ProblemAlert error={plans.error} onRetry={() => void plans.refetch()} />}
        {change.error !== null && <ProblemAlert error={change.error} />}
        {plans.isPending && <Text size="sm" c="dimmed">{shared.shell.loading}</Text>}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" disabled={chosen === undefined || chosen === tenant.plan} loading={change.isPending}>{text.changePlan}</Button>
        </Group>
      </Stack>
    </form>
  );
}
