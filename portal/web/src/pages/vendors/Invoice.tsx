import { Anchor, Button, Group, SimpleGrid, Skeleton, Stack, Table, TextInput, Title } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';

import { api } from '../../api/client';
import { useApi, useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { formatMonth } from '../../format';
import { ConfirmByName } from '../../parts/ConfirmByName';
import { Facts } from '../../parts/Facts';
import { Count, Money } from '../../parts/numbers';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { When } from '../../parts/When';
import { billingText as text } from '../../text/en-vendors-billing';
import { customerPath } from './Customers';
import type { Invoice as Kept } from './data';
import { DeliveryState, InvoiceState, invoicePath } from './InvoiceTable';
import { NotSent, useSendsInvoices } from './Invoices';

/** One invoice or credit note: its lines, and whether the billing system has it. */
export default function Invoice() {
  const { id = '' } = useParams();
  const query = useApi<Kept>(['invoices', 'one', id], (signal) => api.GET('/api/v1/billing/invoices/{id}', { params: { path: { id } }, signal }));
  if (query.data === undefined) {
    return <><PageHeader title={id} />{query.error === null ? <Skeleton h={240} /> : <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}</>;
  }
  const i = query.data;
  return (
    <>
      <PageHeader title={i.invoice_id} description={`${text.kinds[i.kind]} · ${i.customer_name} · ${formatMonth(i.period)}`} actions={<Actions invoice={i} />} />
      {i.delivery?.state === 'not_sent' && <NotSent />}
      <Stack gap="md">
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          <Facts
            title={text.kinds[i.kind]}
            facts={[
              [text.customer, i.crm_account_id === null ? i.customer_name : <Anchor key="customer" component={Link} size="sm" to={customerPath(i.crm_account_id)}>{i.customer_name}</Anchor>],
              [text.crm, i.crm_account_id ?? undefined],
              [text.month, formatMonth(i.period)],
              [text.state, <InvoiceState key="state" invoice={i} />],
              [text.voids, i.voids === null ? undefined : <Anchor key="voids" component={Link} size="sm" className="mono" to={invoicePath(i.voids)}>{i.voids}</Anchor>],
              [text.revision, i.revision],
              [text.issued, <When key="issued" at={i.issued_at} />],
              [text.voided, i.voided_at ? <When key="voided" at={i.voided_at} /> : undefined],
              [text.reason, i.void_reason ?? undefined],
            ]}
          />
          <Facts
            title={text.delivery}
            facts={[
              [text.state, <DeliveryState key="delivery" invoice={i} />],
              [text.attempts, i.delivery?.attempts],
              [text.answer, i.delivery?.error ?? i.delivery?.status_code ?? undefined],
              [text.lastTry, i.delivery?.last_attempt_at ? <When key="last" at={i.delivery.last_attempt_at} /> : undefined],
              [text.nextTry, i.delivery?.next_attempt_at ? <When key="next" at={i.delivery.next_attempt_at} /> : undefined],
            ]}
          />
        </SimpleGrid>
        <Lines invoice={i} />
      </Stack>
    </>
  );
}

function Lines({ invoice }: { invoice: Kept }) {
  const { currency } = invoice;
  return (
    <Stack className="card" gap="sm" p="md" component="section" aria-label={text.lines}>
      <Title order={2} size="h3">{text.lines}</Title>
      <Table.ScrollContainer minWidth={420} scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'group', 'aria-label': text.lines } }}>
        <Table className="num">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{text.line}</Table.Th>
              <Table.Th ta="right">{text.quantity}</Table.Th>
              <Table.Th ta="right">{text.unitPrice}</Table.Th>
              <Table.Th ta="right">{text.amount}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {invoice.line_items.map((l, n) => (
              <Table.Tr key={n}>
                <Table.Td>{l.description}</Table.Td>
                <Table.Td ta="right"><Count value={l.quantity} /></Table.Td>
                <Table.Td ta="right">{l.unit_price === undefined ? '' : <Money amount={l.unit_price} currency={currency} />}</Table.Td>
                <Table.Td ta="right"><Money amount={l.amount} currency={currency} /></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
          <Table.Tfoot>
            <Table.Tr>
              <Table.Th colSpan={3} scope="row">{text.total}</Table.Th>
              <Table.Td ta="right" fw={600}><Money amount={invoice.total} currency={currency} /></Table.Td>
            </Table.Tr>
          </Table.Tfoot>
        </Table>
      </Table.ScrollContainer>
    </Stack>
  );
}

function Actions({ invoice }: { invoice: Kept }) {
  const manages = useMay('manage_billing');
  const navigate = useNavigate();
  const sends = useSendsInvoices();
  const [asked, setAsked] = useState(false);
  const [reason, setReason] = useState('');
  const id = invoice.invoice_id;
  const cancel = useWrite(() => api.POST('/api/v1/billing/invoices/{id}/void', { params: { path: { id } }, body: { reason: reason.trim() } }), {
    stale: ['invoices'],
    done: text.isVoid(id),
    failed: 'self',
    onSuccess: (made) => {
      setAsked(false);
      void navigate(invoicePath(made.credit_note.invoice_id));
    },
  });
  const resend = useWrite(() => api.POST('/api/v1/billing/invoices/run', { params: { query: { period: invoice.period } } }), { stale: ['invoices'], done: text.resent });
  const state = invoice.delivery?.state;
  const unsent = state === 'failed' || (state === 'not_sent' && sends === true);
  if (!manages) return null;
  return (
    <Group gap="xs">
      {unsent && <Button variant="default" leftSection={<IconSend size={16} />} loading={resend.isPending} onClick={() => resend.mutate(undefined)}>{text.resend}</Button>}
      {invoice.kind === 'invoice' && invoice.state === 'issued' && <Button variant="default" c="var(--portal-bad)" onClick={() => setAsked(true)}>{text.void}</Button>}
      <ConfirmByName opened={asked} onClose={() => setAsked(false)} title={text.voidTitle(id)} name={id} action={text.void} busy={cancel.isPending} error={cancel.error} onConfirm={() => cancel.mutate(undefined)}>
        <Stack gap="md">
          {text.voidText}
          <TextInput label={text.reason} description={text.voidReasonHint} maxLength={200} value={reason} onChange={(e) => setReason(e.currentTarget.value)} error={cancel.error?.field('reason')} />
        </Stack>
      </ConfirmByName>
    </Group>
  );
}
