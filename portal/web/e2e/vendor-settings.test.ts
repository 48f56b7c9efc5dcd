import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, shoot, signIn } from './browser';
import { Cluster, until } from './cluster';
import { mailTo, welcomeLink } from './mail';
import { asVendor, makeCustomers } from './vendor-data';

let cluster: Cluster;
let browser: Browser;

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  await makeCustomers(cluster);
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

/** Reads a secret that is shown once, and closes it. */
async function takeSecret(page: Page, title: string, label: string): Promise<string> {
  const dialog = page.getByRole('dialog', { name: title });
  const secret = (await dialog.getByRole('group', { name: label, exact: true }).textContent()) ?? '';
  await axe(page);
  await dialog.getByRole('button', { name: 'I have stored it safely' }).click();
  return secret;
}

/** A receiver of webhooks on loopback, and the ids of what it got. */
async function receiver(): Promise<{ url: string; ids: string[]; close: () => void }> {
  const ids: string[] = [];
  const server = createServer((request, response) => {
    ids.push(String(request.headers['webhook-id']));
    request.resume();
    response.writeHead(204).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/licenses`, ids, close: () => server.close() };
}

function statusOf(key: string): Promise<number> {
  return cluster.ask('vendors', 'GET', '/api/v1/licenses?consistency=linearizable', { token: key }).then((r) => r.status);
}

test('an API key is generated, rotated with an overlap and revoked', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'vendor');
  await page.getByRole('link', { name: 'API keys' }).click();
  await page.getByRole('main').getByRole('button', { name: 'Generate key' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Salesforce');
  await axe(page);
  await page.keyboard.press('Enter');
  const first = await takeSecret(page, 'Your new API key', 'API key');
  expect(first).toMatch(/^clvk_vector-de_/);
  expect(await statusOf(first)).toBe(200);
  const row = page.getByRole('table').getByRole('row').filter({ hasText: 'Salesforce' });
  const act = async (name: string): Promise<void> => {
    await row.getByRole('button', { name: 'Actions for Salesforce' }).click();
    await page.getByRole('menuitem', { name }).click();
  };
  await act('Rotate');
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  const second = await takeSecret(page, 'The key’s new secret', 'API key');
  expect(second).not.toBe(first);
  expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200]);
  await axe(page);
  await shoot(page, 'vendors', 'keys');
  await act('Revoke');
  await page.getByLabel('Type Salesforce to confirm').fill('Salesforce');
  await page.keyboard.press('Enter');
  await row.getByText('Revoked').waitFor();
  expect([await statusOf(first), await statusOf(second)]).toEqual([401, 401]);
  noErrors();
  await context.close();
});

test('an endpoint is told of events, and a delivery is sent again', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'vendor');
  await page.getByRole('link', { name: 'Webhooks' }).click();
  await page.getByRole('main').getByRole('button', { name: 'Add endpoint' }).first().click();
  const { url, ids, close } = await receiver();
  await page.getByLabel('URL').fill('https://user:secret@hooks.vector.example');
  await page.getByRole('dialog').getByRole('button', { name: 'Add endpoint' }).click();
  await page.getByRole('dialog').getByText('it carries a password').waitFor();
  await page.getByLabel('URL').fill(url);
  await axe(page);
  await page.keyboard.press('Enter');
  expect(await takeSecret(page, 'Your new endpoint', 'Signing secret')).toMatch(/^whsec_/);
  await page.getByText('Nothing was delivered yet').waitFor();
  const over = new Date();
  over.setUTCDate(0); // the last day of the month before
  await asVendor(cluster, 'POST', `/api/v1/billing/invoices/run?period=${over.toISOString().slice(0, 7)}`);
  await until('the delivery', () => ids.length > 0 || undefined);
  await until('the delivery to be known', async () => {
    const reply = await asVendor(cluster, 'GET', '/api/v1/webhooks/deliveries?consistency=linearizable');
    return reply.json<{ items: { state: string }[] }>().items.some((d) => d.state === 'delivered') || undefined;
  });
  await page.reload();
  const deliveries = page.getByRole('region', { name: 'Deliveries' });
  await deliveries.getByText('invoice.issued').first().waitFor();
  await deliveries.getByText('Delivered').first().waitFor();
  await axe(page);
  await shoot(page, 'vendors', 'webhooks');
  await deliveries.getByText('invoice.issued').first().click();
  const drawer = page.getByRole('dialog', { name: 'Delivery' });
  await drawer.getByText('"period":').waitFor();
  await axe(page);
  await drawer.getByRole('button', { name: 'Send again' }).click();
  await page.getByText('It is on its way again').waitFor();
  await until('a second delivery of one', () => new Set(ids).size < ids.length || undefined);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: `Actions for ${url}` }).click();
  await page.getByRole('menuitem', { name: 'Remove' }).click();
  await page.getByLabel(`Type ${url} to confirm`).fill(url);
  await page.keyboard.press('Enter');
  await page.getByText('No endpoints yet').waitFor();
  expect((await asVendor(cluster, 'GET', '/api/v1/webhooks?consistency=linearizable')).json<{ items: unknown[] }>().items).toEqual([]);
  close();
  noErrors();
  await context.close();
});

test('the catalog and the settings are changed, and a white-label host verified', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'vendor');
  await page.getByRole('link', { name: 'Products' }).click();
  await page.getByRole('button', { name: 'Edit: CANoe' }).click();
  await page.getByLabel('Lowest client library').fill('2.4.0');
  await page.keyboard.press('Enter');
  await page.getByRole('table').getByText('2.4.0').waitFor();
  expect((await asVendor(cluster, 'GET', '/api/v1/products/canoe?consistency=linearizable')).json()).toMatchObject({ min_lib_version: '2.4.0' });
  await page.getByRole('button', { name: 'Add product' }).click();
  await page.getByLabel('Product ID').fill('canape');
  await page.getByLabel('Name', { exact: true }).fill('CANape');
  await axe(page);
  // What is wrong with a field that has no input of its own is said below the others.
  const errors = [{ pointer: '/name', detail: 'is taken' }, { pointer: '/archived', detail: 'is not for new products' }];
  await page.route('**/api/v1/products', (route) => route.fulfill({ status: 422, contentType: 'application/problem+json', json: { code: 'invalid_field', title: 'Invalid field', status: 422, errors } }));
  const productName = page.getByLabel('Name', { exact: true });
  expect(await productName.inputValue()).toBe('CANape');
  const refused = page.waitForResponse((response) => response.request().method() === 'POST' && response.status() === 422);
  await productName.press('Enter');
  await refused;
  await page.getByRole('dialog').getByRole('alert').getByText('Is not for new products').waitFor();
  await page.unroute('**/api/v1/products');
  await productName.press('Enter');
  await page.getByRole('table').getByText('CANape', { exact: true }).waitFor();
  await axe(page);
  await shoot(page, 'vendors', 'products');

  await page.getByRole('link', { name: 'Settings' }).click();
  const branding = page.getByRole('form', { name: 'Branding' });
  const color = branding.getByLabel('Color', { exact: true }).first();
  await color.fill('reddish');
  await branding.getByLabel('Logo URL').fill('http://vector.example/logo.svg');
  await branding.getByText('Not a color. Write it like #0a5fb4.').waitFor();
  await branding.getByText('An https URL is needed').waitFor();
  await branding.getByRole('button', { name: 'Save' }).click();
  expect(await color.inputValue()).toBe('reddish');
  await branding.getByLabel('Logo URL').fill('https://127.0.0.1:9/logo.svg'); // nobody is there
  await color.fill('#ffd43b');
  await branding.getByRole('button', { name: 'Save' }).click();
  await page.locator('header .mantine-Avatar-root[aria-hidden]').waitFor(); // initials in its place
  await axe(page);
  await branding.getByLabel('Logo URL').fill('');
  await color.fill('#0a5fb4');
  await branding.getByRole('button', { name: 'Save' }).click();
  await page.locator('header svg rect[fill="#0a5fb4"]').first().waitFor(); // the mark has the color
  await page.getByText('The settings are saved.').first().waitFor();
  expect((await asVendor(cluster, 'GET', '/api/v1/settings?consistency=linearizable')).json()).toMatchObject({ branding: { color: '#0a5fb4', logo_url: '' } });
  const label = page.getByRole('form', { name: 'White-label host' });
  await label.getByLabel('Host').fill('licensing.vector.example');
  await label.getByRole('button', { name: 'Save' }).click();
  await label.getByText('Waiting for its DNS record').waitFor();
  const value = (await label.getByRole('group', { name: 'Value', exact: true }).textContent()) ?? '';
  const name = (await label.getByRole('group', { name: 'Name', exact: true }).textContent()) ?? '';
  await label.getByRole('button', { name: 'Verify' }).click();
  await label.getByRole('alert').waitFor();
  await axe(page);
  await shoot(page, 'vendors', 'settings', { fullPage: true });
  expect((await cluster.admin('PUT', '/v1/dev/dns', { name, type: 'TXT', value })).status).toBeLessThan(300);
  await label.getByRole('button', { name: 'Verify' }).click();
  await label.getByText('Active').waitFor();
  noErrors();
  await context.close();
});

test('each role sees its pages alone', async () => {
  const owner = await openPage(browser);
  await signIn(owner.page, cluster, 'vendor');
  const { demo } = cluster.ready;
  const login = await cluster.ask('vendors', 'POST', '/api/v1/login', { body: { vendor_id: demo.vendor_id, email: demo.vendor_email, password: demo.vendor_password } });
  const { token } = login.json<{ token: string }>();
  const roles = {
    viewer: ['Dashboard', 'Licenses', 'Customers', 'Analytics', 'Products'],
    billing: ['Dashboard', 'Licenses', 'Customers', 'Billing', 'Analytics', 'Products'],
  } as const;
  for (const [role, pages] of Object.entries(roles)) {
    const email = `${role}@vector.example`;
    const password = 'a sentence of my own';
    await cluster.ask('vendors', 'POST', '/api/v1/users', { token, body: { email, name: role, role } });
    const link = new URL(welcomeLink(await mailTo(cluster.ready.mail_dir, email)));
    await cluster.ask('vendors', 'POST', '/api/v1/password', { body: { vendor_id: demo.vendor_id, token: link.searchParams.get('token'), password } });
    const { context, page, noErrors } = await openPage(browser);
    await page.goto(cluster.url('vendors', '/login'));
    await page.getByLabel('Vendor ID').fill(demo.vendor_id);
    await page.getByLabel('E-mail address').fill(email);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.keyboard.press('Enter');
    const navigation = page.getByRole('navigation', { name: 'Main navigation' });
    await navigation.getByRole('link').first().waitFor();
    expect(await navigation.getByRole('link').allTextContents()).toEqual(pages);
    await page.getByRole('heading', { name: 'Active licenses' }).waitFor();
    expect(await page.getByText('Generate license').count()).toBe(0);
    expect(await page.getByText('Active customers').count()).toBe(role === 'viewer' ? 0 : 1);
    await page.goto(cluster.url('vendors', '/keys'));
    await page.getByText('Your role does not allow this').waitFor();
    noErrors();
    await context.close();
  }
  await owner.page.getByRole('link', { name: 'Users' }).click();
  await owner.page.getByRole('table').getByText('viewer@vector.example').waitFor();
  await axe(owner.page);
  await shoot(owner.page, 'vendors', 'users');
  owner.noErrors();
  await owner.context.close();
});
