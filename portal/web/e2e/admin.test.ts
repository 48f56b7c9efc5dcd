import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, shoot } from './browser';
import { Cluster, until } from './cluster';

let cluster: Cluster;
let browser: Browser;

const overageUses = 3;

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  await fill();
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

interface TenantView {
  id: string;
  plan: string;
  status: string;
  group: number;
}

interface ClusterView {
  nodes: { id: string; version: string }[];
  groups: { id: number; leader: string | null; term: number }[];
}

/** Tenants on several plans, overage, and somebody with a wrong key. */
async function fill(): Promise<void> {
  const { demo } = cluster.ready;
  for (const [id, company, plan] of [['bosch', 'Robert Bosch GmbH', 'enterprise'], ['zf', 'ZF Friedrichshafen AG', 'professional'], ['kuka', 'KUKA AG', 'startup'], ['sensodrive', 'SensoDrive GmbH', 'free']]) {
    const made = await cluster.admin('POST', '/v1/tenants', { id, company, plan });
    expect(made.status, made.body).toBe(201);
  }
  const license = (await cluster.ask(demo.tenant_id, 'GET', '/api/v1/licenses', { token: demo.api_key })).json<{ items: { commit_qty: number }[] }>();
  const commit = license.items[0]?.commit_qty ?? 0;
  for (let i = 0; i < commit + overageUses; i++) {
    const taken = await cluster.ask(demo.tenant_id, 'POST', '/api/v1/licenses/checkout', { token: demo.api_key, body: { product_id: demo.product_id, user: `developer-${i}` } });
    expect(taken.status, taken.body).toBe(201);
  }
  for (let i = 0; i < 2; i++) {
    const refused = await cluster.ask(demo.tenant_id, 'GET', '/api/v1/licenses', { token: `clsk_${demo.tenant_id}_0000000000000000000000000000000000000000` });
    expect(refused.status).toBe(401);
  }
}

function adminURL(path: string): string {
  return `${cluster.ready.nodes[0]?.admin ?? ''}${path}`;
}

async function signIn(page: Page): Promise<void> {
  await page.goto(adminURL('/login'));
  await page.getByLabel('Operator token').fill(cluster.ready.admin_token);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Main navigation' }).waitFor();
}

async function visit(page: Page, link: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Main navigation' }).getByRole('link', { name: link }).click();
  await page.getByRole('heading', { level: 1, name: link }).waitFor();
}

async function readTenant(id: string): Promise<TenantView> {
  return (await cluster.admin('GET', `/v1/tenants/${id}?consistency=linearizable`)).json<TenantView>();
}

test('the operators’ token opens the portal, and ends with the tab', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await page.goto(adminURL('/tenants'));
  await page.waitForURL('**/login?next=%2Ftenants');
  await page.getByText('admin.token').waitFor();
  await axe(page);
  await shoot(page, 'admin', 'login');
  for (const wrong of ['not the token', 'kein Schlüssel']) {
    await page.reload();
    await page.getByLabel('Operator token').fill(wrong);
    await page.keyboard.press('Enter');
    await page.getByText('not known to the cluster').waitFor();
  }
  await page.getByLabel('Operator token').fill(cluster.ready.admin_token);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/tenants');
  await page.reload(); // the tab keeps it
  await page.getByRole('heading', { level: 1, name: 'Tenants' }).waitFor();
  expect(await page.evaluate(() => JSON.stringify(localStorage) + document.cookie)).not.toContain(cluster.ready.admin_token);
  const other = await context.newPage();
  await other.goto(adminURL('/tenants'));
  await other.waitForURL('**/login?next=%2Ftenants');
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await page.waitForURL('**/login');
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  noErrors();
  await context.close();
});

test('the cluster’s nodes and groups are shown, and read anew', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page);
  await page.getByRole('heading', { level: 1, name: 'Cluster' }).waitFor();
  await page.getByText('Everything is well').waitFor();
  const view = (await cluster.admin('GET', '/v1/cluster')).json<ClusterView>();
  const nodes = page.getByRole('region', { name: 'Nodes' });
  for (const node of view.nodes) await nodes.getByRole('row').filter({ hasText: node.id }).getByText('Alive').waitFor();
  const groups = page.getByRole('region', { name: 'Groups', exact: true });
  for (const group of view.groups) {
    const row = groups.getByRole('row').filter({ hasText: group.id === 0 ? 'Directory' : `License group ${group.id}` });
    await row.getByText(`${group.leader}, leader`).waitFor();
    expect(await row.getByText(/^lag /).count()).toBe(view.nodes.length);
  }

  // What is committed is seen to be, without a click.
  const row = groups.getByRole('row').filter({ hasText: 'Directory' });
  const before = await row.innerText();
  expect((await cluster.admin('POST', '/v1/tenants', { id: 'festo', company: 'Festo SE', plan: 'free' })).status).toBe(201);
  await until('the commit index to move', async () => (await row.innerText()) !== before);
  await axe(page);
  await shoot(page, 'admin', 'cluster');
  noErrors();
  await context.close();
});

test('a tenant is found, suspended, resumed and put on another plan', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page);
  await visit(page, 'Tenants');
  const table = page.getByRole('table');
  const bosch = await readTenant('bosch');
  await table.getByRole('row').filter({ hasText: 'Robert Bosch GmbH' }).getByText('Enterprise').waitFor();
  await page.getByRole('region', { name: 'Tenants per group' }).getByText(`License group ${bosch.group}`).waitFor();
  await axe(page);
  await shoot(page, 'admin', 'tenants');

  await page.getByLabel('Tenant ID').fill('no-such-tenant');
  await page.keyboard.press('Enter');
  await page.getByText('there is no such tenant').waitFor();
  await page.goBack();
  await page.getByLabel('Tenant ID').fill(cluster.ready.demo.tenant_id);
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'Live leases' }).getByText('developer-1', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Verify the chain' }).click();
  const proof = (await cluster.admin('GET', `/v1/tenants/${cluster.ready.demo.tenant_id}/audit/verify`)).json<{ valid: boolean; head: string }>();
  expect(proof.valid).toBe(true);
  await page.getByRole('region', { name: 'Audit log' }).getByText('Whole').waitFor();
  await page.getByRole('region', { name: 'Audit log' }).getByText(proof.head).waitFor();
  await axe(page);
  await shoot(page, 'admin', 'tenant');

  await page.goto(adminURL('/tenants/zf'));
  await page.getByRole('button', { name: 'Suspend' }).click();
  const dialog = page.getByRole('dialog', { name: 'Suspend zf?' });
  expect(await dialog.getByRole('button', { name: 'Suspend' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Type zf to confirm').fill('zf');
  await axe(page);
  await page.keyboard.press('Enter');
  await page.getByText('Suspended', { exact: true }).waitFor();
  expect((await readTenant('zf')).status).toBe('suspended');
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByText('Active', { exact: true }).waitFor();
  expect((await readTenant('zf')).status).toBe('active');

  await page.getByRole('button', { name: 'Change plan' }).click();
  const plans = page.getByRole('dialog', { name: 'Plan of zf' });
  await plans.getByRole('radio', { name: 'Enterprise' }).check();
  await plans.getByRole('button', { name: 'Change plan' }).click();
  await page.getByText('zf is on Enterprise now.').waitFor();
  expect((await readTenant('zf')).plan).toBe('enterprise');
  noErrors();
  await context.close();
});

test('vendors are listed; one gets another share, is suspended and resumed', async () => {
  const { context, page, noErrors } = await openPage(browser);
  const { vendor_id: vendor } = cluster.ready.demo;
  await signIn(page);
  await visit(page, 'Vendors');
  const row = page.getByRole('row').filter({ hasText: vendor });
  await row.getByText('Active').waitFor();
  await row.getByRole('button', { name: `Actions for ${vendor}` }).click();
  await page.getByRole('menuitem', { name: 'Set revenue share' }).click();
  await page.getByLabel('Share in percent').fill('9');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('alert').waitFor();
  await page.getByLabel('Share in percent').fill('3.5');
  await page.keyboard.press('Enter');
  await page.getByText(`The platform’s share of ${vendor}’s overage is 3.5% now.`).waitFor();
  const statement = (await cluster.admin('GET', '/v1/billing/revenue-share?consistency=linearizable')).json<{ vendors: { vendor_id: string; basis_points: number }[] }>();
  expect(statement.vendors).toContainEqual(expect.objectContaining({ vendor_id: vendor, basis_points: 350 }));
  await axe(page);
  await shoot(page, 'admin', 'vendors');

  await row.getByRole('button', { name: `Actions for ${vendor}` }).click();
  await page.getByRole('menuitem', { name: 'Suspend' }).click();
  await page.getByLabel(`Type ${vendor} to confirm`).fill(vendor);
  await page.keyboard.press('Enter');
  await row.getByText('Suspended').waitFor();
  const read = async () => (await cluster.admin('GET', `/v1/vendors/${vendor}?consistency=linearizable`)).json<{ status: string }>().status;
  expect(await read()).toBe('suspended');
  await row.getByRole('button', { name: `Actions for ${vendor}` }).click();
  await page.getByRole('menuitem', { name: 'Resume' }).click();
  await row.getByText('Active').waitFor();
  expect(await read()).toBe('active');
  noErrors();
  await context.close();
});

test('billing shows the platform’s share and plan fees of a month, as the API has them', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page);
  await visit(page, 'Billing');
  const statement = (await cluster.admin('GET', '/v1/billing/revenue-share')).json<{ vendors: { vendor_id: string; overage_revenue: number; currency: string }[] }>();
  const line = statement.vendors.find((v) => v.vendor_id === cluster.ready.demo.vendor_id);
  expect(line?.overage_revenue).toBeGreaterThan(0);
  const shown = new Intl.NumberFormat('en-US', { style: 'currency', currency: line?.currency ?? '' }).format(line?.overage_revenue ?? 0);
  await page.getByRole('region', { name: 'Revenue share' }).getByRole('row').filter({ hasText: cluster.ready.demo.vendor_id }).getByText(shown).waitFor();
  await page.getByRole('region', { name: 'Plan fees' }).getByRole('row').filter({ hasText: 'kuka' }).waitFor();
  await axe(page);
  await shoot(page, 'admin', 'billing');
  await page.getByLabel('Month').fill('2020-01');
  await page.getByText('No overage in this month').waitFor();
  expect(new URL(page.url()).search).toBe('?period=2020-01');
  await page.goto(adminURL('/billing?period=2026-13'));
  await page.getByRole('alert').getByText('“2026-13” is no month.').waitFor();
  noErrors();
  await context.close();
});

test('deliveries and refusals are counted', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page);
  await visit(page, 'Deliveries');
  const { groups } = (await cluster.admin('GET', '/v1/outbox')).json<{ groups: { id: number }[] }>();
  await page.getByRole('row').filter({ hasText: `License group ${groups[0]?.id ?? 0}` }).waitFor();
  await page.getByText('No undeliverable mail').waitFor();
  await axe(page);
  await shoot(page, 'admin', 'deliveries');
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Search or jump to…').fill('refus');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Refusals' }).waitFor();
  const seen = (await cluster.admin('GET', '/v1/refusals')).json<{ items: { layer: string; count: number }[] }>();
  if (seen.items.length > 0) await page.getByRole('row').filter({ hasText: 'API key' }).first().waitFor();
  await axe(page);
  await shoot(page, 'admin', 'refusals');
  noErrors();
  await context.close();
});
