import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBrowser, openPage, signIn } from './browser';
import { Cluster } from './cluster';
import { mailTo, welcomeLink } from './mail';
import { checkouts, ownerToken, read, type Granted, type Pool } from './tenant-data';

let cluster: Cluster;
let browser: Browser;
let token: string;
const password = 'a sentence of my own';

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  token = await ownerToken(cluster);
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

test('from the log-in to a key, a checkout, its release and the audit log', async () => {
  const { context, page, noErrors } = await openPage(browser);
  page.setDefaultTimeout(10_000);
  const { license_id: id } = cluster.ready.demo;
  await signIn(page, cluster);

  // Ctrl-K, a name and Enter: a key.
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Search or jump to…').fill('generate key');
  await page.keyboard.press('Enter');
  const wizard = page.getByRole('dialog', { name: 'Generate an API key' });
  await wizard.getByLabel('Name').fill('Pipeline 7');
  await wizard.getByLabel('CI/CD').check();
  await wizard.getByRole('button', { name: 'Next' }).click();
  await wizard.getByRole('button', { name: 'Next' }).click();
  await wizard.getByRole('button', { name: 'Generate key' }).click();
  const secret = page.getByRole('dialog', { name: 'Your new API key' });
  const apiKey = (await secret.getByRole('group', { name: 'API key' }).innerText()).trim();
  await secret.getByRole('button', { name: 'I have stored it safely' }).click();

  // The application checks out with it, and home shows that within a second.
  await page.getByRole('link', { name: 'Home' }).click();
  const row = page.getByRole('row').filter({ hasText: 'DaVinci Configurator SE' });
  await row.getByText('0 / 20').waitFor();
  await page.locator('[data-live="live"]').waitFor();
  const [lease] = await checkouts(cluster, ['robot@mercedes.com'], apiKey);
  const since = Date.now();
  await row.getByText('1 / 20').waitFor();
  expect(Date.now() - since).toBeLessThan(1_000);

  await row.getByRole('link').click();
  await page.getByRole('button', { name: 'Release the lease of robot@mercedes.com' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Release' }).click();
  await page.getByText('0 of 20 seats in use').waitFor();
  await page.getByText('of robot@mercedes.com was released').waitFor();
  expect(await read<Pool>(cluster, token, `/api/v1/licenses/${id}`)).toMatchObject({ in_use: 0 });

  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByRole('row').filter({ hasText: 'robot@mercedes.com' }).filter({ hasText: 'Checkout' }).filter({ hasText: 'Pipeline 7' }).waitFor();
  await page.getByRole('row').filter({ hasText: 'Lease released' }).waitFor();
  const { items } = await read<{ items: { action: string; lease_id: string | null }[] }>(cluster, token, '/api/v1/audit');
  expect(items.filter((r) => r.lease_id === (lease as Granted).lease_id).map((r) => r.action)).toEqual(['checkout', 'release']);
  noErrors();
  await context.close();
});

/** Invites somebody; their password is set by the link in the mail. */
async function invite(email: string, role: string): Promise<void> {
  const { tenant_id: tenant } = cluster.ready.demo;
  const invited = await cluster.ask(tenant, 'POST', '/api/v1/users', { token, body: { email, name: email, role } });
  expect(invited.status).toBe(201);
  const link = new URL(welcomeLink(await mailTo(cluster.ready.mail_dir, email)));
  const set = await cluster.ask(tenant, 'POST', '/api/v1/password', { body: { token: link.searchParams.get('token'), password } });
  expect(set.status, set.body).toBeLessThan(300);
}

const everyone = ['Home', 'Licenses'];
const links = { viewer: everyone, billing: [...everyone, 'Costs'], admin: [...everyone, 'API keys', 'Costs', 'Users', 'Audit', 'Webhooks', 'Settings'] };

test.each(Object.entries(links))('a user with the role %s sees what is theirs', async (role, pages) => {
  const email = `a-${role}@mercedes.com`;
  await invite(email, role);
  const [lease] = await checkouts(cluster, [`used-by-${role}@mercedes.com`]);
  const { context, page, noErrors } = await openPage(browser);
  page.setDefaultTimeout(10_000);
  const { tenant_id: tenant, license_id: id } = cluster.ready.demo;
  await page.goto(cluster.url(tenant, '/login'));
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
  const navigation = page.getByRole('navigation', { name: 'Main navigation' });
  await navigation.getByRole('link', { name: 'Home' }).waitFor();
  expect(await navigation.getByRole('link').allInnerTexts()).toEqual(pages);
  await page.getByText('Licensed products').waitFor(); // the page is there
  expect(await page.getByText('This month’s cost').count()).toBe(role === 'viewer' ? 0 : 1);
  expect(await page.getByRole('link', { name: 'Generate new key for application' }).count()).toBe(role === 'admin' ? 1 : 0);

  await page.goto(cluster.url(tenant, `/licenses/${id}`));
  await page.getByRole('row').filter({ hasText: `used-by-${role}@mercedes.com` }).waitFor();
  expect(await page.getByRole('button', { name: /^Release the lease/ }).count() > 0).toBe(role === 'admin');
  await page.goto(cluster.url(tenant, '/settings'));
  if (role === 'admin') {
    await page.getByRole('tab', { name: 'Overage rules' }).waitFor();
    expect(await page.getByRole('tab', { name: 'Delete tenant' }).count()).toBe(0);
  } else {
    await page.getByText('Your role does not allow this').waitFor();
  }
  await cluster.ask(tenant, 'POST', `/api/v1/leases/${(lease as Granted).lease_id}/release`, { token, body: {} });
  noErrors();
  await context.close();
});
