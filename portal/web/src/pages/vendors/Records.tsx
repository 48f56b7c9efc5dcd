import { Button, Group, Modal, Select, Stack, Text, TextInput } from '@mantine/core';
import { useMemo, useState, type FormEvent } from 'react';
import { useParams } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useList, useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { formatCount, formatMoney, formatMonth } from '../../format';
import { DataTable, type Column } from '../../parts/DataTable';
import { isNumber, type Typed } from '../../numbers';
import { FormProblem } from '../../parts/form';
import { Count, Money } from '../../parts/numbers';
import { NumberField } from '../../parts/NumberField';
import { useMonth } from '../../parts/month';
import { PageHeader } from '../../parts/PageHeader';
import { lastMonths, month } from '../../parts/period';
import { useSetFilters } from '../../parts/UrlFilters';
import { When } from '../../parts/When';
import { text as shared } from '../../text/en';
import { billingText as text } from '../../text/en-vendors-billing';

type Charged = Schemas['OverageRecord'];
const months = 24;

/** What one license was charged in a month, record by record; uses may be taken back. */
export default function Records() {
  const { id = '' } = useParams();
  const { asked: period, wrong } = useMonth('period');
  const setFilters = useSetFilters();
  const manages = useMay('manage_billing');
  const [adjusted, setAdjusted] = useState<Charged>();
  const query = { license_id: id, ...(period === undefined ? {} : { period }) };
  const list = useList<Charged>(['records', query], (page, signal) => api.GET('/api/v1/billing/overage/records', { params: { query: { ...query, ...page } }, signal }));
  const columns = useMemo(() => (manages ? [...facts, takeBack(setAdjusted)] : facts), [manages]);
  return (
    <>
      <PageHeader title={text.recordsOf(id)} description={text.recordsText} />
      {wrong}
      <Select
        w={180}
        mb="sm"
        label={text.month}
        allowDeselect={false}
        data={lastMonths(months).map((value) => ({ value, label: formatMonth(value) }))}
        value={period ?? month()}
        onChange={(value) => setFilters({ period: value === month() ? null : value })}
      />
      <DataTable<Charged> label={text.records} list={list} columns={columns} id={(r) => r.record_id} empty={{ title: text.noRecords, text: text.noRecordsText }} />
      <Modal opened={adjusted !== undefined} onClose={() => setAdjusted(undefined)} title={text.adjustTitle}>
        {adjusted !== undefined && <Adjust record={adjusted} onClose={() => setAdjusted(undefined)} />}
      </Modal>
    </>
  );
}

const facts: readonly Column<Charged>[] = [
  {
    accessor: 'record_id',
    title: text.record,
    render: (r) => (
      <>
        <Text span className="mono" style={{ whiteSpace: 'nowrap' }}>{r.record_id}</Text>
        {r.adjusts !== null && <Text size="xs" c="dimmed">{text.adjusts(r.adjusts)}</Text>}
        <Text size="xs" c="dimmed" component="div" hiddenFrom="sm"><When at={r.charged_at} /></Text>
      </>
    ),
  },
  { accessor: 'charged_at', title: text.charged, wide: true, render: (r) => <When at={r.charged_at} /> },
  { accessor: 'lease_id', title: text.lease, wide: true, render: (r) => <Text span className="mono" style={{ overflowWrap: 'anywhere' }}>{r.lease_id}</Text> },
  { accessor: 'uses', title: text.uses, number: true, wide: true, render: (r) => <Count value={r.uses} /> },
  { accessor: 'unit_price', title: text.unitPrice, number: true, wide: true, render: (r) => <Money amount={r.unit_price} currency={r.currency} /> },
  { accessor: 'amount', title: text.amount, number: true, render: (r) => <Money amount={r.amount} currency={r.currency} /> },
];

function takeBack(onAsk: (r: Charged) => void): Column<Charged> {
  return {
    accessor: 'actions',
    title: <span className="visually-hidden">{shared.table.actions}</span>,
    textAlign: 'right',
    render: (r) => (r.uses > 0 ? <Button size="compact-xs" variant="subtle" aria-label={`${text.adjust}: ${r.record_id}`} onClick={() => onAsk(r)}>{text.adjust}</Button> : null),
  };
}

function Adjust({ record, onClose }: { record: Charged; onClose: () => void }) {
  const [uses, setUses] = useState<Typed>(record.uses);
  const [reason, setReason] = useState('');
  const [intent] = useState(() => crypto.randomUUID());
  const adjust = useWrite(
    () =>
      api.POST('/api/v1/billing/overage/records/{id}/adjust', {
        params: { path: { id: record.record_id }, header: { 'Idempotency-Key': intent } },
        body: { license_id: record.license_id, uses: Number(uses), reason: reason.trim() },
      }),
    { stale: ['records', 'overage', 'overview', 'licenses'], done: text.adjusted, failed: 'self', onSuccess: onClose },
  );
  const ready = reason.trim() !== '' && isNumber(uses);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (ready) adjust.mutate(undefined);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">{text.adjustText(formatCount(record.uses), formatMoney(record.amount, record.currency))}</Text>
        <NumberField label={text.adjustUses} decimals={0} least={1} most={record.uses} value={uses} onChange={setUses} error={adjust.error?.field('uses')} />
        <TextInput data-autofocus label={text.reason} description={text.reasonHint} maxLength={200} value={reason} onChange={(e) => setReason(e.currentTarget.value)} error={adjust.error?.field('reason')} />
        <FormProblem error={adjust.error} shown={['uses', 'reason']} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={adjust.isPending} disabled={!ready}>{text.adjust}</Button>
        </Group>
      </Stack>
    </form>
  );
}
