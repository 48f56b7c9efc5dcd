import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, shoot, signIn } from './browser';
import { Cluster } from './cluster';

interface UserPage {
  items: { id: string; email: string; role: string; status: string }[];
}

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

async function users(): Promise<UserPage['items']> {
  const { demo } = cluster.ready;
  const login = await cluster.ask(demo.tenant_id, 'POST', '/api/v1/login', { body: { email: demo.admin_email, password: demo.admin_password } });
  const reply = await cluster.ask(demo.tenant_id, 'GET', '/api/v1/users?consistency=linearizable', { token: login.json<{ token: string }>().token });
  return reply.json<UserPage>().items;
}

test('who is not logged in is led to the log-in, and back', async () => {
  const { context, page, noErrors } = await openPage(browser);
  const { demo } = cluster.ready;
  await page.goto(cluster.url(demo.tenant_id, '/users'));
  await page.waitForURL('**/login?next=%2Fusers');
  await axe(page);
  await shoot(page, 'tenant', 'login');
  await page.getByLabel('E-mail address').fill(demo.admin_email);
  await page.getByLabel('Password', { exact: true }).fill('not the password');
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.getByRole('alert').getByText('is wrong').waitFor();
  await page.getByLabel('Password', { exact: true }).fill(demo.admin_password);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/users');
  await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  noErrors();
  await context.close();
});

test('an owner invites, changes and removes a user', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster);
  await page.getByRole('link', { name: 'Users' }).click();
  const table = page.getByRole('table');
  await table.getByText(cluster.ready.demo.admin_email).waitFor();

  // Ctrl-K lists what can be done; Enter does it.
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Search or jump to…').fill('invite');
  await axe(page);
  await page.keyboard.press('Enter');
  await page.getByLabel('Name', { exact: true }).fill('Bea Becker');
  await page.getByLabel('E-mail address').fill('bea@mercedes.com');
  await page.getByLabel('Billing').check();
  await page.keyboard.press('Enter');
  await page.getByText('The invitation is on its way to bea@mercedes.com.').waitFor();
  const row = table.getByRole('row').filter({ hasText: 'bea@mercedes.com' });
  await row.getByText('Invited').waitFor();
  expect(await users()).toContainEqual(expect.objectContaining({ email: 'bea@mercedes.com', role: 'billing', status: 'invited' }));

  await row.getByRole('button', { name: 'Actions for Bea Becker' }).click();
  await page.getByRole('menuitem', { name: 'Change role' }).click();
  await page.getByLabel('Viewer').check();
  await page.getByRole('button', { name: 'Change role' }).click();
  await row.getByText('Viewer').waitFor();
  expect(await users()).toContainEqual(expect.objectContaining({ email: 'bea@mercedes.com', role: 'viewer' }));
  await page.getByText('is now Viewer').waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'users');

  await row.getByRole('button', { name: 'Actions for Bea Becker' }).click();
  await page.getByRole('menuitem', { name: 'Remove' }).click();
  const dialog = page.getByRole('dialog', { name: 'Remove Bea Becker?' });
  const remove = dialog.getByRole('button', { name: 'Remove' });
  expect(await remove.isDisabled()).toBe(true);
  await dialog.getByLabel('Type bea@mercedes.com to confirm').fill('bea@mercedes.com');
  await axe(page);
  await remove.click();
  await row.waitFor({ state: 'detached' });
  expect((await users()).map((u) => u.email)).not.toContain('bea@mercedes.com');
  noErrors();
  await context.close();
});

test('the header says that the page is live, and the user menu logs out', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  await page.locator('[data-live="live"]').waitFor();
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Your account' }).click();
  await page.getByRole('heading', { name: 'Your account', level: 1 }).waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'account');
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await page.waitForURL('**/login');
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, '/users'));
  await page.waitForURL('**/login?next=%2Fusers');
  await context.close();
});
