import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, phone, shoot, signIn } from './browser';
import { Cluster } from './cluster';
import { mailTo, welcomeLink } from './mail';

let cluster: Cluster;
let browser: Browser;

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

test('the badge says when the connection is lost, and when it is back', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  const badge = page.locator('[data-live]');
  await page.locator('[data-live="live"]').waitFor();
  cluster.freeze(); // the connection stays, and says nothing any more
  await page.locator('[data-live="reconnecting"], [data-live="offline"]').waitFor({ timeout: 40_000 });
  await badge.hover();
  await page.getByRole('tooltip').getByText(/Nothing is missed|out of date/).waitFor();
  cluster.thaw();
  await page.locator('[data-live="live"]').waitFor({ timeout: 40_000 });
  await context.close();
}, 120_000);

test('a list that cannot be read says why and by which id, and is read again', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  const id = '01a21818-20be-7005-907d-c13113183f26';
  await page.route('**/api/v1/users?*', (route) => route.fulfill({
    status: 500,
    contentType: 'application/problem+json',
    body: JSON.stringify({ type: 'about:blank', title: 'Internal error', status: 500, detail: 'the request failed; the log has its request_id', code: 'internal', request_id: id, retryable: false }),
  }));
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, '/users'));
  const alert = page.getByRole('alert');
  await alert.getByText('These rows could not be read').waitFor();
  await alert.getByText(id).waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'users-failed');
  await page.unroute('**/api/v1/users?*');
  await alert.getByRole('button', { name: 'Retry' }).click();
  await page.getByRole('table').getByText(cluster.ready.demo.admin_email).waitFor();
  await context.close();
});

test('a role sees what it may, and is told of what it may not', async () => {
  const { demo } = cluster.ready;
  const login = await cluster.ask(demo.tenant_id, 'POST', '/api/v1/login', { body: { email: demo.admin_email, password: demo.admin_password } });
  const invited = await cluster.ask(demo.tenant_id, 'POST', '/api/v1/users', {
    token: login.json<{ token: string }>().token,
    body: { email: 'vera@mercedes.com', name: 'Vera Vogt', role: 'viewer' },
  });
  expect(invited.status).toBe(201);
  const link = new URL(welcomeLink(await mailTo(cluster.ready.mail_dir, 'vera@mercedes.com')));
  const password = 'only ever looking at it';
  const set = await cluster.ask(demo.tenant_id, 'POST', '/api/v1/password', { body: { token: link.searchParams.get('token'), password } });
  expect(set.status).toBe(200);

  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'tenant', { email: 'vera@mercedes.com', password });
  await page.getByText('What your company uses right now.', { exact: true }).waitFor(); // and nothing of costs
  expect(await page.getByRole('link', { name: 'Users' }).count()).toBe(0);
  await page.goto(cluster.url(demo.tenant_id, '/users'));
  await page.getByText('Your role does not allow this').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Search or jump to…').fill('invite');
  await page.getByText('Nothing found.').waitFor();
  noErrors();
  await context.close();
});

test('on a phone the navigation opens, leads on and closes; the scheme is kept', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await page.setViewportSize(phone);
  await signIn(page, cluster);
  await page.getByRole('button', { name: 'Open navigation' }).click();
  await page.getByRole('navigation', { name: 'Main navigation' }).getByRole('link', { name: 'Users' }).click();
  await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, '/no/such/page'));
  await page.getByRole('heading', { name: 'There is no such page', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Open navigation' }).waitFor();
  await axe(page);
  await page.getByRole('link', { name: 'Go home' }).click();
  await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
  await page.getByRole('button', { name: /^Color scheme: As the system/ }).click();
  await page.getByRole('button', { name: /^Color scheme: Light/ }).click();
  await page.locator('html[data-mantine-color-scheme="dark"]').waitFor();
  await page.reload();
  await page.locator('html[data-mantine-color-scheme="dark"]').waitFor();
  noErrors();
  await context.close();
});

test('the keyboard alone reaches the content first, and Esc closes what is open', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, '/users'));
  await page.getByRole('table').waitFor();
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, '/users?invite=1'));
  await page.getByRole('dialog', { name: 'Invite a user' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(page.url()).not.toContain('invite');
  await context.close();
});

test('a suspended company is told so on each page', async () => {
  const { demo } = cluster.ready;
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster);
  expect((await cluster.admin('PATCH', `/v1/tenants/${demo.tenant_id}`, { status: 'suspended' })).status).toBe(200);
  for (const path of ['/licenses', '/users']) {
    await page.goto(cluster.url(demo.tenant_id, path));
    await page.getByText('Your company is suspended').waitFor();
  }
  await axe(page);
  expect((await cluster.admin('PATCH', `/v1/tenants/${demo.tenant_id}`, { status: 'active' })).status).toBe(200);
  await page.getByText('Your company is suspended').waitFor({ state: 'detached', timeout: 45_000 });
  noErrors();
  await context.close();
});
