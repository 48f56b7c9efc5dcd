import { Button, Group, Progress, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useMemo, useState } from 'react';

import { api, type Schemas } from '../../../api/client';
import { useApi, useWrite } from '../../../api/hooks';
import { usePlans, type Plan } from '../../../api/plans';
import { useMay, useSession } from '../../../api/session';
import { formatCount, formatMoney, formatSentence } from '../../../format';
import { ConfirmByName } from '../../../parts/ConfirmByName';
import { DataTable, type Column } from '../../../parts/DataTable';
import { Facts } from '../../../parts/Facts';
import { ProblemAlert } from '../../../parts/ProblemAlert';
import { StatusBadge } from '../../../parts/StatusBadge';
import { hostURL, site } from '../../../site';
import { text as shared } from '../../../text/en';
import { settingsText } from '../../../text/en-tenant-settings';
import { useShownList } from '../shown-list';

const text = settingsText.plan;
type PlanName = Schemas['PlanName'];

function nameOf(plan: string): string {
  return text.names[plan] ?? plan;
}

function priceOf(plan: { price_monthly: number | null; currency: string }): string {
  return plan.price_monthly === null ? text.byAgreement : text.aMonth(formatMoney(plan.price_monthly, plan.currency));
}

export function useTenantPlan() {
  return useApi(['plan'], (signal) => api.GET('/api/v1/plan', { signal }));
}

/** The company, what its plan allows and what is in use of that, and other plans. */
export default function PlanSection() {
  const plan = useTenantPlan();
  const company = useSession().data?.companyName ?? '';
  const { data } = plan;
  if (plan.error !== null && data === undefined) return <ProblemAlert error={plan.error} onRetry={() => void plan.refetch()} />;
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Facts
          title={text.company}
          facts={[
            [text.name, company],
            [text.tenant, <span key="t" className="mono">{site.tenant}</span>],
            [text.url, <span key="u" className="mono">{hostURL(site.tenant, '')}</span>],
            [text.status, data && <StatusBadge key="s" status={data.status} />],
          ]}
        />
        {data !== undefined && (
          <Facts title={text.current} facts={[[text.plan, nameOf(data.plan)], [text.price, priceOf(data)], [text.vendors, unlimited(data.vendors)], [text.seats, unlimited(data.seats)]]}>
            <Use label={text.vendors} use={data.vendors} />
            <Use label={text.seats} use={data.seats} />
          </Facts>
        )}
      </SimpleGrid>
      <Plans current={data?.plan} />
    </Stack>
  );
}

/** What has no limit has no bar either. */
function unlimited({ limit, in_use: used }: Schemas['PlanUse']): string | undefined {
  return limit === null ? text.unlimited(formatCount(used)) : undefined;
}

function Use({ label, use }: { label: string; use: Schemas['PlanUse'] }) {
  const { limit, in_use: used } = use;
  if (limit === null) return null;
  return (
    <Stack gap={4}>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">{label}</Text>
        <Text size="sm" className="num">{text.use(formatCount(used), formatCount(limit))}</Text>
      </Group>
      <Progress value={limit === 0 ? 0 : Math.min(100, (used / limit) * 100)} size="sm" aria-label={label} />
    </Stack>
  );
}

function Plans({ current }: { current: PlanName | undefined }) {
  const manages = useMay('manage_settings');
  const plans = usePlans();
  const [asked, setAsked] = useState<Plan>();
  const list = useShownList(plans, plans.data?.items ?? []);
  const columns = useMemo(() => planColumns(current, manages ? setAsked : undefined), [current, manages]);
  return (
    <Stack gap="xs" component="section" aria-label={text.plans}>
      <Title order={2}>{text.plans}</Title>
      <DataTable<Plan> label={text.plans} list={list} columns={columns} id={(p) => p.plan} empty={{ title: text.plans, text: '' }} />
      {asked !== undefined && <ChangePlan plan={asked} onClose={() => setAsked(undefined)} />}
    </Stack>
  );
}

function limitText(n: number | null): string {
  return n === null ? text.noLimit : formatCount(n);
}

function tablePrice(p: Plan): string {
  return p.price_monthly === null ? text.byAgreement : formatMoney(p.price_monthly, p.currency);
}

function planColumns(current: PlanName | undefined, choose: ((plan: Plan) => void) | undefined): Column<Plan>[] {
  const columns: Column<Plan>[] = [
    { accessor: 'plan', title: text.plan, render: (p) => <><Text size="sm" fw={500}>{nameOf(p.plan)}</Text><Text size="xs" c="dimmed" className="num" hiddenFrom="sm">{tablePrice(p)}</Text></> },
    { accessor: 'max_vendors', title: text.maxVendors, number: true, wide: true, render: (p) => limitText(p.max_vendors) },
    { accessor: 'max_seats', title: text.maxSeats, number: true, wide: true, render: (p) => limitText(p.max_seats) },
    { accessor: 'price_monthly', title: text.price, number: true, wide: true, render: tablePrice },
    { accessor: 'support', title: text.support, wide: true, render: (p) => formatSentence(p.support) },
  ];
  if (choose !== undefined) {
    columns.push({
      accessor: 'actions',
      title: <span className="visually-hidden">{shared.table.actions}</span>,
      textAlign: 'right',
      render: (p) => (p.plan === current ? <Text size="sm" c="dimmed">{text.yours}</Text> : <Button size="compact-sm" variant="default" disabled={current === undefined} onClick={() => choose(p)}>{text.choose(nameOf(p.plan))}</Button>),
    });
  }
  return columns;
}

function ChangePlan({ plan, onClose }: { plan: Plan; onClose: () => void }) {
  const change = useWrite((to: PlanName) => api.PATCH('/api/v1/plan', { body: { plan: to } }), {
    stale: ['plan', 'sso'],
    done: text.changed(nameOf(plan.plan)),
    failed: 'self',
    onSuccess: onClose,
  });
  return (
    <ConfirmByName opened onClose={onClose} title={text.changeTitle(nameOf(plan.plan))} action={text.choose(nameOf(plan.plan))} danger={false} busy={change.isPending} error={change.error} onConfirm={() => change.mutate(plan.plan)}>
      {plan.price_monthly === null ? text.changeAgreed(nameOf(plan.plan)) : text.changeText(nameOf(plan.plan), priceOf(plan))} {text.tooSmall}
    </ConfirmByName>
  );
}
