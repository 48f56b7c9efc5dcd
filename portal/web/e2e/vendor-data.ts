import type { Cluster, Reply } from './cluster';

/** A customer with a license of the demo's vendor, and a key to check it out. */
export interface Customer {
  tenant: string;
  company: string;
  crm: string;
  product: string;
  key: string;
}

const customers = [
  { tenant: 'bmw', company: 'BMW AG', crm: 'ACC-20117', product: 'davinci-configurator-se', name: 'DaVinci Configurator SE', total: 10, commit: 6, overage: 4, fee: 3000, use: 450, currency: 'EUR', checkouts: 10 },
  { tenant: 'bosch', company: 'Robert Bosch GmbH', crm: 'ACC-30042', product: 'canoe', name: 'CANoe', total: 12, commit: 8, overage: 6, fee: 4200, use: 380, currency: 'EUR', checkouts: 9 },
  { tenant: 'tesla', company: 'Tesla Inc', crm: 'ACC-41200', product: 'davinci-ide', name: 'DaVinci IDE', total: 10, commit: 10, overage: 0, fee: 2500, use: 0, currency: 'USD', checkouts: 7 },
] as const;

function must(reply: Reply, status: number): Reply {
  if (reply.status !== status) throw new Error(`want ${status}, got ${reply.status}: ${reply.body}`);
  return reply;
}

/** Asks the vendors' host with the demo vendor's key. */
export function asVendor(cluster: Cluster, method: string, path: string, body?: unknown): Promise<Reply> {
  return cluster.ask('vendors', method, path, { token: cluster.ready.demo.vendor_api_key, body });
}

/** Checks a product out for some users, each on its own. */
export async function checkOut(cluster: Cluster, tenant: string, key: string, product: string, users: readonly string[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const user of users) {
    const reply = await cluster.ask(tenant, 'POST', '/api/v1/licenses/checkout', { token: key, body: { product_id: product, user, ttl_seconds: 3600 } });
    statuses.push(reply.status);
  }
  return statuses;
}

/** Names of so many users. */
export function people(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `user-${i + 1}`);
}

/** Other customers of the demo's vendor, so that lists have something to tell. */
export async function makeCustomers(cluster: Cluster): Promise<Customer[]> {
  const year = new Date().getUTCFullYear();
  const made: Customer[] = [];
  for (const c of customers) {
    await asVendor(cluster, 'POST', '/api/v1/products', { product_id: c.product, name: c.name, version: '>=8.0.0' });
    const tenant = must(await cluster.admin('POST', '/v1/tenants', { id: c.tenant, company: c.company }), 201);
    const key = tenant.json<{ api_key: string }>().api_key;
    must(await asVendor(cluster, 'POST', '/api/v1/licenses/generate', {
      crm_opportunity_id: `SF-${c.crm}`,
      customer: { crm_account_id: c.crm, name: c.company, tenant_id: c.tenant },
      product: { id: c.product, name: c.name },
      entitlement: { total_licenses: c.total, commit_qty: c.commit, max_overage: c.overage, pricing: { commit_fee_monthly: c.fee, overage_per_use: c.use, currency: c.currency } },
      contract: { start_date: `${year}-01-01`, end_date: `${year}-12-31`, auto_renew: true },
    }), 201);
    const statuses = await checkOut(cluster, c.tenant, key, c.product, people(c.checkouts));
    if (statuses.some((s) => s !== 201)) throw new Error(`checkouts of ${c.tenant}: ${statuses.join(' ')}`);
    made.push({ tenant: c.tenant, company: c.company, crm: c.crm, product: c.product, key });
  }
  // A license of somebody who has not signed up yet.
  must(await asVendor(cluster, 'POST', '/api/v1/licenses/generate', {
    crm_opportunity_id: 'SF-later',
    customer: { crm_account_id: 'ACC-55001', name: 'Polestar AB', tenant_id: 'polestar' },
    product: { id: 'canoe', name: 'CANoe' },
    entitlement: { total_licenses: 5, commit_qty: 5, max_overage: 0, pricing: { commit_fee_monthly: 1500, overage_per_use: 0, currency: 'EUR' } },
    contract: { start_date: `${year}-01-01`, end_date: `${year}-12-31` },
  }), 201);
  return made;
}
