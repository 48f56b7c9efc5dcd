import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, shoot, signIn } from './browser';
import { Cluster } from './cluster';
import { mailTo, welcomeLink } from './mail';
import { nextCode, totp } from './totp';

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

test('a session that ends anywhere leads to the log-in', async () => {
  const { context, page, noErrors } = await openPage(browser);
  const { demo } = cluster.ready;
  await page.route('**/api/v1/events', (route) => route.abort()); // the write shall notice, not the stream
  await signIn(page, cluster);
  await page.goto(cluster.url(demo.tenant_id, '/users'));
  await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  const session = (await context.cookies()).find((c) => c.name === 'cloudlicenses')?.value;
  expect((await cluster.ask(demo.tenant_id, 'POST', '/api/v1/logout', { token: session ?? '' })).status).toBe(204);
  await page.getByRole('button', { name: 'Invite user' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Bea Becker');
  await page.getByLabel('E-mail address').fill('bea@mercedes.com');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/login?next=*');
  noErrors();
  await context.close();
});

test('a second factor is set up, asked for, and removed', async () => {
  const { context, page, noErrors } = await openPage(browser);
  const { demo } = cluster.ready;
  await signIn(page, cluster);
  await page.goto(cluster.url(demo.tenant_id, '/account'));
  await page.getByRole('button', { name: 'Set up' }).click();
  const secret = await page.getByRole('group', { name: 'Secret' }).innerText();
  const setUp = Date.now();
  await page.getByLabel('Code').fill(totp(secret, setUp));
  await axe(page);
  await page.getByRole('button', { name: 'Turn on' }).click();
  await page.getByText('Your second factor is on.').waitFor();
  await page.getByText('A code from your authenticator app is asked for at every log-in.').waitFor();

  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await page.waitForURL('**/login');
  await page.getByLabel('E-mail address').fill(demo.admin_email);
  await page.getByLabel('Password', { exact: true }).fill(demo.admin_password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Second factor' }).waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'login-code');
  // The code of the next half minute: the server knows clocks that are a little ahead.
  await page.getByLabel('Code 1').click();
  await page.keyboard.type(totp(secret, nextCode(setUp)));
  await page.getByRole('navigation', { name: 'Main navigation' }).waitFor();

  await page.goto(cluster.url(demo.tenant_id, '/account'));
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('dialog').getByLabel('Code', { exact: true }).fill('000000');
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText('is not the one of this moment').waitFor();
  await page.getByRole('button', { name: 'Use my password instead' }).click();
  await page.getByRole('dialog').getByLabel('Password', { exact: true }).fill(demo.admin_password);
  await axe(page);
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText('Your second factor is removed.').waitFor();
  await page.getByRole('button', { name: 'Set up' }).waitFor();
  noErrors();
  await context.close();
});

test('who forgot the password gets a link by mail, once', async () => {
  const { context, page, noErrors } = await openPage(browser);
  const { demo } = cluster.ready;
  await page.goto(cluster.url(demo.tenant_id, '/login'));
  const forgot = page.getByRole('link', { name: 'Forgot your password?' });
  await forgot.click();
  await forgot.waitFor({ state: 'detached' }); // that page has such a field, too
  await page.getByLabel('E-mail address').fill(demo.admin_email);
  await axe(page);
  await page.keyboard.press('Enter');
  await page.getByText('a mail is on its way').waitFor();
  const link = welcomeLink(await mailTo(cluster.ready.mail_dir, demo.admin_email, 'password'));
  for (const outcome of ['**/login', null]) {
    await page.goto(link);
    await page.getByLabel('New password').fill('another sentence of mine');
    await page.keyboard.press('Enter');
    if (outcome === null) await page.getByText('This link is not valid.').waitFor();
    else {
      await page.waitForURL(outcome);
      expect(await page.getByLabel('E-mail address').inputValue()).toBe(demo.admin_email);
    }
  }
  await axe(page);
  await shoot(page, 'tenant', 'welcome');
  noErrors();
  await context.close();
});

test('a vendor’s user logs in with the vendor’s id', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'vendor');
  await page.getByRole('button', { name: /^Account of/ }).waitFor();
  await axe(page);
  noErrors();
  await context.close();
});
