import { Group, TextInput } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';

import { api } from '../../api/client';
import { DownloadButton } from '../../parts/DownloadButton';
import { PageHeader } from '../../parts/PageHeader';
import { firstDay, lastDay, month } from '../../parts/period';
import { useFilters, useSetFilters } from '../../parts/UrlFilters';
import { billingText as text } from '../../text/en-vendors-billing';
import { BillingTabs } from './BillingTabs';
import { CustomerSelect } from './CustomerSelect';
import { exportQuery } from './overage';
import { OverageTable } from './OverageTable';

const filters = ['start_date', 'end_date', 'customer_crm_id'] as const;
const formats = ['csv', 'json', 'pdf'] as const;

/** Overage of all customers, or of one, for some days, to see and to download. */
export default function Billing() {
  const set = useFilters(filters);
  const setFilters = useSetFilters();
  const from = set.start_date ?? firstDay(month());
  const to = set.end_date ?? lastDay(month());
  const crm = set.customer_crm_id;
  const query = exportQuery(from, to, crm);
  return (
    <>
      <PageHeader title={text.title} description={text.description} />
      <BillingTabs />
      <div id="billing-part" role="tabpanel" aria-label={text.overage}>
        <Group justify="space-between" align="flex-end" gap="sm" mb="md">
          <Group gap="xs" align="flex-end" role="search">
            <TextInput w={160} type="date" label={text.from} value={from} onChange={(e) => setFilters({ start_date: e.currentTarget.value })} />
            <TextInput w={160} type="date" label={text.to} value={to} onChange={(e) => setFilters({ end_date: e.currentTarget.value })} />
            <CustomerSelect w={260} value={crm ?? null} onChange={(value) => setFilters({ customer_crm_id: value })} />
          </Group>
          <Group gap="xs">
            {formats.map((format) => (
              <DownloadButton
                key={format}
                variant="default"
                aria-label={text.exportAs(text[format])}
                leftSection={<IconDownload size={16} />}
                name={`overage-${from}-${to}.${format}`}
                read={() => api.GET('/api/v1/billing/overage', { params: { query: { ...query, format } }, parseAs: 'blob' })}
              >
                {text[format]}
              </DownloadButton>
            ))}
          </Group>
        </Group>
        <OverageTable from={from} to={to} crm={crm} totals />
      </div>
    </>
  );
}
