import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBrowser, openPage } from './browser';
import { mailTo, welcomeLink } from './mail';
import { Servers } from './servers';

let servers: Servers;
let browser: Browser;
const tenant = 'acme';
const owner = 'owner@acme.com';
const password = 'a sentence of my own';

beforeAll(async () => {
  servers = await Servers.start();
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await servers?.stop();
});

test('the node of an open dashboard is killed: it reconnects, and misses nothing', async () => {
  const made = await servers.admin('POST', '/v1/tenants', { id: tenant, company: 'Acme', owner_email: owner, licenses: { product: 'cad', commit: 5, max_overage: 5 } });
  expect(made.status, made.body).toBe(201);
  const { api_key: key } = made.json<{ api_key: string }>();
  const checkout = async (user: string): Promise<void> => {
    const reply = await servers.ask(tenant, 'POST', '/api/v1/licenses/checkout', key, { product_id: 'cad', user });
    expect(reply.status, reply.body).toBe(201);
  };
  const link = new URL(welcomeLink(await mailTo(servers.mailDir, owner)));

  const { context, page } = await openPage(browser);
  await page.goto(servers.url(tenant, link.pathname + link.search));
  await page.getByLabel('New password').fill(password);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/login');
  await page.getByLabel('E-mail address').fill(owner);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
  const row = page.getByRole('row').filter({ hasText: 'cad' });
  await row.getByText('0 / 10').waitFor();
  await page.locator('[data-live="live"]').waitFor();
  await checkout('before@acme.com');
  await row.getByText('1 / 10').waitFor();

  const reconnecting = page.locator('[data-live="reconnecting"]').waitFor();
  await servers.killFirst();
  await reconnecting;
  await checkout('meanwhile@acme.com');
  await page.locator('[data-live="live"]').waitFor({ timeout: 20_000 });
  await row.getByText('2 / 10').waitFor();
  await page.getByText('meanwhile@acme.com checked out cad').waitFor();
  expect(await page.getByText('before@acme.com checked out cad').count()).toBe(1); // nothing comes twice
  await checkout('after@acme.com');
  await row.getByText('3 / 10').waitFor();
  await context.close();
});
