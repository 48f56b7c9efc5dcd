// The whole of it as people would click it: a company signs up, a vendor
// provisions to it, an application checks out past the commitment, and both
// sides see the same numbers, which are the customer's own: 20 seats, 5 of
// them committed for €5,000 a month, 44 overage uses of €500 each.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBrowser, openPage, signIn } from './browser';
import { Cluster, type Reply } from './cluster';
import { mailTo, welcomeLink } from './mail';
import { setPassword, setRecord } from './steps';

type Opened = Awaited<ReturnType<typeof openPage>>;

const company = { name: 'AUDI AG', tenant: 'audi', domain: 'audi.example', crm: 'ACC-70001' };
const admin = { name: 'Ada Ames', email: 'ada@audi.example', password: 'a sentence of my own' };
const product = { id: 'davinci-configurator-se', name: 'DaVinci Configurator SE' };
const commit = 5;
const heldOverage = 2;
const overageUses = 44;

let cluster: Cluster;
let browser: Browser;
let customer: Opened;
let vendor: Opened;
let licenseId = '';
let apiKey = '';

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  customer = await openPage(browser);
  vendor = await openPage(browser);
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

/** The month before a day's, YYYY-MM. */
function monthBefore(now: Date): string {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1)).toISOString().slice(0, 7);
}

const lastMonth = monthBefore(new Date());

async function askCustomer(path: string): Promise<Reply> {
  const login = await cluster.ask(company.tenant, 'POST', '/api/v1/login', { body: { email: admin.email, password: admin.password } });
  return cluster.ask(company.tenant, 'GET', path, { token: login.json<{ token: string }>().token });
}

function askVendor(path: string): Promise<Reply> {
  return cluster.ask('vendors', 'GET', path, { token: cluster.ready.demo.vendor_api_key });
}

async function checkOut(user: string): Promise<{ lease_id: string; type: string }> {
  const reply = await cluster.ask(company.tenant, 'POST', '/api/v1/licenses/checkout', { token: apiKey, body: { product_id: product.id, user, ttl_seconds: 3600 } });
  expect(reply.status, reply.body).toBe(201);
  return reply.json();
}

test('the company signs up: a record in its DNS, a mail, a password', async () => {
  const { page, noErrors } = customer;
  await page.goto(cluster.url(''));
  await page.getByRole('link', { name: 'Choose Professional' }).click();
  await page.getByRole('group', { name: 'Company' }).getByLabel('Name').fill(company.name);
  await page.getByLabel('Domain').fill(company.domain);
  expect(await page.getByLabel('Tenant ID').inputValue()).toBe(company.tenant);
  await page.getByRole('combobox', { name: 'Country' }).fill('Germany');
  await page.getByRole('option', { name: 'Germany' }).click();
  const fields = page.getByRole('group', { name: 'First administrator' });
  await fields.getByLabel('Name').fill(admin.name);
  await fields.getByLabel('E-mail address').fill(admin.email);
  await page.keyboard.press('Enter');
  await page.getByText('Waiting for the record').waitFor();
  expect((await cluster.admin('GET', `/v1/tenants/${company.tenant}`)).status).toBe(404);

  await setRecord(cluster, page);
  await page.getByRole('heading', { name: 'Domain verified' }).waitFor(); // without a click
  await page.getByText(`is on its way to ${admin.email}`).waitFor();
  expect((await cluster.admin('GET', `/v1/tenants/${company.tenant}`)).json()).toMatchObject({ status: 'active', plan: 'professional' });

  await setPassword(page, welcomeLink(await mailTo(cluster.ready.mail_dir, admin.email)), admin.password);
  await page.getByLabel('E-mail address').fill(admin.email);
  await page.getByLabel('Password', { exact: true }).fill(admin.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
  await page.getByText('No licenses yet').waitFor();
  noErrors();
});

test('the vendor generates a license for it by form, and it is there', async () => {
  const { page, noErrors } = vendor;
  await signIn(page, cluster, 'vendor');
  await page.getByRole('main').getByRole('link', { name: 'Generate license' }).first().click();
  await page.getByText('New customer', { exact: true }).click();
  await page.getByLabel('Company name').fill(company.name);
  await page.getByLabel('CRM account ID').fill(company.crm);
  await page.getByLabel('Tenant ID').fill(company.tenant);
  await page.getByRole('combobox', { name: 'Product ID' }).fill(product.id);
  await page.getByRole('combobox', { name: 'Product ID' }).press('Tab');
  await page.getByLabel('Product name').fill(product.name);
  await page.getByLabel('Total seats').fill('20');
  await page.getByLabel('Committed seats').fill(String(commit));
  await page.getByLabel('Maximum overage').fill('15');
  await page.getByText('20 seats: 5 committed, 15 of them overage.').waitFor();
  await page.getByLabel('Commit fee per month').fill('5000');
  await page.getByLabel('Price per overage use').fill('500');
  await page.getByLabel('First day').fill(`${lastMonth}-01`);
  await page.getByRole('main').getByRole('button', { name: 'Generate license' }).click();
  await page.getByRole('heading', { name: 'Provisioned' }).waitFor();
  await page.getByText(`${company.name} can check it out now.`).waitFor();

  const { items } = (await askCustomer('/api/v1/licenses')).json<{ items: { license_id: string; total_licenses: number; commit_qty: number; max_overage: number }[] }>();
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({ total_licenses: 20, commit_qty: commit, max_overage: 15 });
  licenseId = items[0]?.license_id ?? '';
  await page.getByText(licenseId, { exact: true }).waitFor();
  noErrors();
});

test('the company sees it and makes a key for an application in the wizard', async () => {
  const { page, noErrors } = customer;
  await page.reload();
  await page.getByRole('region', { name: 'Licensed products' }).getByRole('row').filter({ hasText: product.name }).getByText('0 / 20').waitFor();
  await page.getByRole('link', { name: 'Generate new key for application' }).click();
  const wizard = page.getByRole('dialog', { name: 'Generate an API key' });
  await wizard.getByLabel('Name').fill('DaVinci Workstation 042');
  await page.keyboard.press('Enter');
  await wizard.getByRole('checkbox', { name: 'Check out' }).waitFor();
  await wizard.getByRole('button', { name: 'Next' }).click();
  await wizard.getByLabel('IP addresses and networks').fill('127.0.0.1');
  await page.keyboard.press('Enter');
  await wizard.getByRole('button', { name: 'Generate key' }).click();
  const secret = page.getByRole('dialog', { name: 'Your new API key' });
  apiKey = (await secret.getByRole('group', { name: 'API key' }).innerText()).trim();
  expect(apiKey).toMatch(new RegExp(`^clsk_${company.tenant}_`));
  await secret.getByText(`LICENSE_SERVER_URL=`).waitFor();
  await secret.getByRole('button', { name: 'I have stored it safely' }).click();
  await page.getByRole('row').filter({ hasText: 'DaVinci Workstation 042' }).getByRole('cell', { name: 'Active', exact: true }).waitFor();
  const { items } = (await askCustomer('/api/v1/keys')).json<{ items: { app_name: string; allowed_ip_ranges: string[] }[] }>();
  const made = items.find((k) => k.app_name === 'DaVinci Workstation 042');
  expect(made?.allowed_ip_ranges).toHaveLength(1);
  expect(made?.allowed_ip_ranges[0]).toContain('127.0.0.1');
  noErrors();
});

test('the application checks out past the commitment, and the open dashboard moves', async () => {
  const { page, noErrors } = customer;
  await page.getByRole('navigation', { name: 'Main navigation' }).getByRole('link', { name: 'Home' }).click();
  await page.locator('[data-live="live"]').waitFor();
  for (let i = 0; i < commit; i++) expect((await checkOut(`developer-${i}`)).type).toBe('commit');
  const row = page.getByRole('region', { name: 'Licensed products' }).getByRole('row').filter({ hasText: product.name });
  await row.getByText('5 / 20').waitFor();
  for (let i = 0; i < overageUses; i++) {
    const lease = await checkOut(`guest-${i}`);
    expect(lease.type).toBe('overage');
    if (i < overageUses - heldOverage) {
      const back = await cluster.ask(company.tenant, 'POST', '/api/v1/licenses/return', { token: apiKey, body: { lease_id: lease.lease_id } });
      expect(back.status, back.body).toBe(200);
    }
  }
  await row.getByText('7 / 20').waitFor();
  await page.getByRole('region', { name: 'Recent activity' }).getByText(`guest-${overageUses - 1} checked out`).waitFor();
  const license = (await askCustomer(`/api/v1/licenses/${licenseId}`)).json();
  expect(license).toMatchObject({ in_use: commit + heldOverage, commit_in_use: commit, overage_in_use: heldOverage });
  noErrors();
});

test('both dashboards say the same of the overage, and what it costs', async () => {
  await customer.page.reload();
  const main = customer.page.getByRole('main');
  await main.getByText('€27,000.00').first().waitFor();
  await main.getByText('€5,000.00 commit + €22,000.00 overage').waitFor();
  const costs = (await askCustomer('/api/v1/costs')).json<{ totals: { currency: string; commit_fee: number; overage_cost: number; total: number }[] }>();
  expect(costs.totals).toContainEqual(expect.objectContaining({ currency: 'EUR', commit_fee: 5000, overage_cost: 22_000, total: 27_000 }));

  await vendor.page.getByRole('navigation', { name: 'Main navigation' }).getByRole('link', { name: 'Dashboard' }).click();
  const row = vendor.page.getByRole('table').getByRole('row').filter({ hasText: company.name });
  await row.getByText('7 / 20').waitFor();
  await row.getByText('44 (€22,000.00)').waitFor();
  const seen = (await askVendor(`/api/v1/licenses/${licenseId}`)).json();
  expect(seen).toMatchObject({ this_month: { overage_checkouts: overageUses, overage_cost: 22_000 } });
  customer.noErrors();
  vendor.noErrors();
});

test('the vendor exports the overage, and invoices the month that is over', async () => {
  const { page, noErrors } = vendor;
  const navigation = page.getByRole('navigation', { name: 'Main navigation' });
  await navigation.getByRole('link', { name: 'Billing' }).click();
  await page.getByRole('row').filter({ hasText: company.name }).getByRole('cell', { name: '€22,000.00', exact: true }).waitFor();
  const [csv] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download CSV' }).click()]);
  const text = (await (await csv.createReadStream()).toArray()).join('');
  expect(text.split('\n').filter((line) => line.includes(company.crm) && line.includes('22000'))).toHaveLength(1);

  // This month's overage is invoiced once the month is over, and not earlier;
  // the month before has the commit fee alone.
  const early = await cluster.ask('vendors', 'POST', `/api/v1/billing/invoices/run?period=${new Date().toISOString().slice(0, 7)}`, { token: cluster.ready.demo.vendor_api_key });
  expect(early.status, early.body).toBe(422);
  await page.getByRole('tab', { name: 'Invoices' }).click();
  await page.getByRole('button', { name: 'Run a month' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Run a month' }).click();
  await page.getByRole('row').filter({ hasText: company.name }).getByText('€5,000.00').waitFor();
  const { items } = (await askVendor(`/api/v1/billing/invoices?period=${lastMonth}`)).json<{ items: { customer_name: string; total: number; state: string }[] }>();
  expect(items).toContainEqual(expect.objectContaining({ customer_name: company.name, total: 5000, state: 'issued' }));
  noErrors();
});

test('the operators see tenant, leases and their share', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await page.goto(`${cluster.ready.nodes[0]?.admin ?? ''}/tenants/${company.tenant}`);
  await page.getByLabel('Operator token').fill(cluster.ready.admin_token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: company.name, level: 1 }).waitFor();
  await page.getByRole('region', { name: 'Licenses' }).getByRole('row').filter({ hasText: licenseId }).getByText('7 / 20').waitFor();
  await page.getByRole('region', { name: 'Live leases' }).getByText(`guest-${overageUses - 1}`, { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Billing' }).click();
  await page.getByRole('row').filter({ hasText: cluster.ready.demo.vendor_id }).getByText('€22,000.00').waitFor();
  noErrors();
  await context.close();
});
