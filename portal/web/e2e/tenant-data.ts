import { expect } from 'vitest';

import type { Cluster, Reply } from './cluster';

// What customers' tests do beside the browser: applications check out with
// keys, and the API says what is there.

export interface Pool {
  license_id: string;
  in_use: number;
  commit_in_use: number;
  overage_in_use: number;
}

export interface Granted {
  lease_id: string;
  type: 'commit' | 'overage';
}

/** A session of the demo's owner. */
export async function ownerToken(cluster: Cluster): Promise<string> {
  const { demo } = cluster.ready;
  const login = await cluster.ask(demo.tenant_id, 'POST', '/api/v1/login', { body: { email: demo.admin_email, password: demo.admin_password } });
  expect(login.status).toBe(200);
  return login.json<{ token: string }>().token;
}

/** What the tenant's leader says. */
export async function read<T>(cluster: Cluster, token: string, path: string): Promise<T> {
  const reply = await cluster.ask(cluster.ready.demo.tenant_id, 'GET', `${path}${path.includes('?') ? '&' : '?'}consistency=linearizable`, { token });
  expect(reply.status, reply.body).toBe(200);
  return reply.json<T>();
}

/** Checks a seat out, as an application does: of the demo's product where none is named. */
export function checkout(cluster: Cluster, user: string, key = cluster.ready.demo.api_key, product = cluster.ready.demo.product_id): Promise<Reply> {
  const name = user.split('@')[0] ?? user;
  return cluster.ask(cluster.ready.demo.tenant_id, 'POST', '/api/v1/licenses/checkout', {
    token: key,
    body: { product_id: product, user, ttl_seconds: 3_600 },
    headers: { 'X-Hostname': `ws-${name}.mercedes.com` },
  });
}

/** Checks seats out for some users, one after the other. */
export async function checkouts(cluster: Cluster, users: readonly string[], key?: string): Promise<Granted[]> {
  const granted: Granted[] = [];
  for (const user of users) {
    const reply = await checkout(cluster, user, key);
    expect(reply.status, reply.body).toBe(201);
    granted.push(reply.json<Granted>());
  }
  return granted;
}

export async function giveBack(cluster: Cluster, leases: readonly Granted[], key = cluster.ready.demo.api_key): Promise<void> {
  for (const { lease_id } of leases) {
    await cluster.ask(cluster.ready.demo.tenant_id, 'POST', '/api/v1/licenses/return', { token: key, body: { lease_id } });
  }
}

export const people = ['alice', 'bea', 'chen', 'dario', 'elif', 'farid', 'greta'].map((name) => `${name}@mercedes.com`);

const more = [
  { vendor: 'vector-de', product: 'davinci-ide', name: 'DaVinci IDE', total: 10, commit: 10, overage: 0, fee: 3_000, use: 0, used: 10 },
  { vendor: 'greenhills', product: 'multi', name: 'Multi 8.2', total: 20, commit: 12, overage: 8, fee: 8_000, use: 650, used: 8 },
] as const;

/** Licenses of a second product and of a second vendor, with some use, so that lists have something to tell. */
export async function makeLicenses(cluster: Cluster): Promise<void> {
  const { demo } = cluster.ready;
  const vendor = await cluster.admin('POST', '/v1/vendors', { id: 'greenhills', name: 'Green Hills Software', with_key: true });
  expect(vendor.status, vendor.body).toBe(201);
  const keys: Readonly<Record<string, string>> = { 'vector-de': demo.vendor_api_key, greenhills: vendor.json<{ api_key: string }>().api_key };
  for (const m of more) {
    const made = await cluster.ask('vendors', 'POST', '/api/v1/licenses/generate', {
      token: keys[m.vendor] ?? '',
      body: {
        crm_opportunity_id: `SF-${m.product}`,
        customer: { crm_account_id: 'ACC-98765', name: 'Mercedes-Benz AG', tenant_id: demo.tenant_id },
        product: { id: m.product, name: m.name },
        entitlement: { total_licenses: m.total, commit_qty: m.commit, max_overage: m.overage, pricing: { commit_fee_monthly: m.fee, overage_per_use: m.use, currency: 'EUR' } },
        contract: { start_date: '2026-01-01', end_date: '2027-12-31' },
      },
    });
    expect(made.status, made.body).toBe(201);
    const { license_id: id, status } = made.json<{ license_id: string; status: string }>();
    if (status === 'generated') {
      const provisioned = await cluster.ask('vendors', 'POST', '/api/v1/licenses/provision', { token: keys[m.vendor] ?? '', body: { license_id: id, customer: { crm_account_id: 'ACC-98765' } } });
      expect(provisioned.status, provisioned.body).toBe(200);
    }
    for (let n = 0; n < m.used; n++) {
      const reply = await checkout(cluster, `engineer-${n + 1}@mercedes.com`, demo.api_key, m.product);
      expect(reply.status, reply.body).toBe(201);
    }
  }
}
