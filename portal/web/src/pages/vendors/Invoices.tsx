import { Anchor, Button, Group, Modal, Select, Stack, Text } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';
import { Link } from 'react-router';

import { api } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { formatCount, formatMonth } from '../../format';
import { useMonth } from '../../parts/month';
import { PageHeader } from '../../parts/PageHeader';
import { lastMonths } from '../../parts/period';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { Restricted } from '../../parts/Restricted';
import { UrlFilters } from '../../parts/UrlFilters';
import { text as shared } from '../../text/en';
import { billingText as text } from '../../text/en-vendors-billing';
import { BillingTabs } from './BillingTabs';
import { useSettings } from './data';
import { InvoiceTable } from './InvoiceTable';
import { useInvoices } from './invoices';

const filters = ['period'] as const;
const months = 24;

/** Invoices and credit notes of the vendor's customers. */
export default function Invoices() {
  const { asked: period, wrong } = useMonth('period', text.allMonths);
  const list = useInvoices(period);
  const [running, setRunning] = useState(false);
  const run = (
    <Restricted to="manage_billing">
      <Button variant="default" leftSection={<IconPlayerPlay size={16} />} onClick={() => setRunning(true)}>{text.run}</Button>
    </Restricted>
  );
  return (
    <>
      <PageHeader title={text.title} description={text.description} actions={run} />
      <BillingTabs />
      <div id="billing-part" role="tabpanel" aria-label={text.invoices}>
        <NotSent />
        {wrong}
        <UrlFilters filters={[{ name: 'period', label: text.month, kind: 'select', options: lastMonths(months, -1).map((value) => ({ value, label: formatMonth(value) })) }]} />
        <InvoiceTable list={list} filters={filters} empty={{ title: text.noInvoices, text: text.noInvoicesText }} />
      </div>
      <Modal opened={running} onClose={() => setRunning(false)} title={text.runTitle}><Run onClose={() => setRunning(false)} /></Modal>
    </>
  );
}

/** Whether invoices are sent anywhere; undefined where the role may not know. */
export function useSendsInvoices(): boolean | undefined {
  const hook = useSettings(useMay('view_settings')).data?.invoice_webhook;
  return hook === undefined ? undefined : hook.url !== '' && hook.bearer_token_set;
}

/** Says that invoices go nowhere, as long as they do. */
export function NotSent() {
  if (useSendsInvoices() !== false) return null;
  return (
    <Group className="card" justify="space-between" p="sm" mb="md" role="note">
      <Text size="sm">{text.toSettings}</Text>
      <Anchor component={Link} to="/settings" size="sm">{text.settings}</Anchor>
    </Group>
  );
}

function Run({ onClose }: { onClose: () => void }) {
  const over = lastMonths(months, -1);
  const [period, setPeriod] = useState(over[0] ?? '');
  const run = useWrite((p: string) => api.POST('/api/v1/billing/invoices/run', { params: { query: { period: p } } }), {
    stale: ['invoices'],
    done: (r) => text.ran(formatMonth(r.period), formatCount(r.issued.length), formatCount(r.known)),
    failed: 'self',
    onSuccess: onClose,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run.mutate(period);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">{text.runText}</Text>
        <Select label={text.month} allowDeselect={false} data={over.map((value) => ({ value, label: formatMonth(value) }))} value={period} onChange={(v) => v !== null && setPeriod(v)} />
        {run.error !== null && <ProblemAlert error={run.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={run.isPending}>{text.run}</Button>
        </Group>
      </Stack>
    </form>
  );
}
