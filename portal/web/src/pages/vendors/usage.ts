import { api, type Schemas } from '../../api/client';
import type { Page } from '../../api/hooks';
import type { Answer } from '../../api/problem';
import { walk } from '../../api/walk';
import type { Range } from '../../parts/range';
import type { Resolution } from '../../parts/series';

/** What one license was used for: an item of /analytics/usage. */
export interface Usage {
  license_id: string;
  product_id: string;
  product_name: string;
  tenant_id: string;
  crm_account_id: string;
  customer_name: string;
  totals: Schemas['UsageTotals'];
  series: Schemas['UsagePoint'][];
}

export interface UsageFilter {
  customer_crm_id?: string;
  product_id?: string;
}

const mostLicenses = 1000;

type Answered = Promise<Answer<Page<Usage>>>;

/** A page of /analytics/usage in JSON; by Accept there is CSV as well. */
export function askUsage(query: UsageFilter & { license_id?: string; start_date: string; end_date: string; resolution: Resolution; limit?: number; cursor?: string }, signal: AbortSignal): Answered {
  return api.GET('/api/v1/analytics/usage', { params: { query }, signal }) as Answered;
}

/** The use of all licenses that fit; `more` where there are more than are worth a page. */
export function readUsage(range: Range, filter: UsageFilter, signal: AbortSignal): Promise<{ items: Usage[]; more: boolean }> {
  return walk((cursor) => askUsage({ ...filter, start_date: range.from, end_date: range.to, resolution: range.by, limit: 100, cursor }, signal), { enough: mostLicenses });
}

const mostPages = 200;

/** The same as one CSV file, for all licenses: a reply has a hundred, and Link names the next. */
export async function readUsageCsv(range: Range, filter: UsageFilter): Promise<Answer<Blob>> {
  const parts: string[] = [];
  let cursor = '';
  for (;;) {
    // One page names the next.
    // oxlint-disable-next-line no-await-in-loop
    const { data, error, response } = await api.GET('/api/v1/analytics/usage', {
      params: { query: { ...filter, start_date: range.from, end_date: range.to, resolution: range.by, limit: 100, cursor } },
      headers: { Accept: 'text/csv' },
      parseAs: 'text',
    });
    if (typeof data !== 'string') return { error, response };
    parts.push(parts.length === 0 ? data : data.slice(data.indexOf('\n') + 1)); // one header line
    const next = /[?&]cursor=([^&>]+)/.exec(response.headers.get('Link') ?? '')?.[1];
    if (next === undefined || parts.length === mostPages) return { data: new Blob(parts, { type: 'text/csv' }), response };
    cursor = decodeURIComponent(next);
  }
}
