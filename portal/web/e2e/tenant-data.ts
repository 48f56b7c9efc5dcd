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

/** Checks a seat of the demo's product out, as an application does. */
export function checkout(cluster: Cluster, user: string, key = cluster.ready.demo.api_key): Promise<Reply> {
  const { demo } = cluster.ready;
  return cluster.ask(demo.tenant_id, 'POST', '/api/v1/licenses/checkout', { token: key, body: { product_id: demo.product_id, user, ttl_seconds: 3_600 } });
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
