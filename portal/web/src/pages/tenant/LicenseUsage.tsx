import { SimpleGrid, Stack } from '@mantine/core';

import { api } from '../../api/client';
import { useApi } from '../../api/hooks';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { RangeBar } from '../../parts/RangeBar';
import { Stat } from '../../parts/Stat';
import { AreaCommitOverage } from '../../parts/charts';
import { Count } from '../../parts/numbers';
import { useRange } from '../../parts/range';
import { formatPeriod, pointsOf } from '../../parts/series';
import { tenantText as text } from '../../text/en-tenant';
import type { License } from './data';

/** What a license was used for: a chart over days that stand in the URL. */
export function LicenseUsage({ license }: { license: License }) {
  const range = useRange();
  const usage = useApi(
    ['usage', license.license_id, range],
    (signal) => api.GET('/api/v1/licenses/{id}/usage', { params: { path: { id: license.license_id }, query: { start_date: range.from, end_date: range.to, resolution: range.by } }, signal }),
    { refetchInterval: 60_000 },
  );
  const totals = usage.data?.totals;
  const pending = usage.isPending;
  return (
    <Stack gap="sm">
      <RangeBar />
      {usage.error !== null && usage.data === undefined ? (
        <ProblemAlert error={usage.error} onRetry={() => void usage.refetch()} />
      ) : (
        <>
          <AreaCommitOverage
            title={text.license.history}
            points={pointsOf(usage.data?.series ?? [], range.from, range.to, range.by)}
            capacity={license.total_licenses}
            formatAt={formatPeriod(range.by)}
          />
          <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
            <Stat label={text.license.checkouts} pending={pending} value={<Count value={totals?.checkouts ?? 0} />} />
            <Stat label={text.license.overageUses} pending={pending} value={<Count value={totals?.overage_uses ?? 0} />} />
            <Stat label={text.license.refusals} pending={pending} value={<Count value={totals?.refusals ?? 0} />} />
            <Stat label={text.license.seatHours} pending={pending} value={<Count value={Math.round((totals?.seat_hours ?? 0) * 10) / 10} />} />
          </SimpleGrid>
        </>
      )}
    </Stack>
  );
}
