import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, signIn } from './browser';
import { Cluster, until } from './cluster';
import { mailTo, welcomeLink } from './mail';

// Whose session it is: across tabs, after a log-out, and in the browser's memory.

let cluster: Cluster;
let browser: Browser;
const vera = { email: 'vera@mercedes.com', password: 'only ever looking at it' };

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser({ pageMemory: true });
  const { demo, mail_dir } = cluster.ready;
  const token = await owner();
  expect((await cluster.ask(demo.tenant_id, 'POST', '/api/v1/users', { token, body: { email: vera.email, name: 'Vera Vogt', role: 'viewer' } })).status).toBe(201);
  const link = new URL(welcomeLink(await mailTo(mail_dir, vera.email)));
  expect((await cluster.ask(demo.tenant_id, 'POST', '/api/v1/password', { body: { token: link.searchParams.get('token'), password: vera.password } })).status).toBe(200);
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

/** A session of the demo's owner, by the API. */
async function owner(): Promise<string> {
  const { demo } = cluster.ready;
  const reply = await cluster.ask(demo.tenant_id, 'POST', '/api/v1/login', { body: { email: demo.admin_email, password: demo.admin_password } });
  return reply.json<{ token: string }>().token;
}

const tenant = (path: string): string => cluster.url(cluster.ready.demo.tenant_id, path);

async function logOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await page.waitForURL('**/login');
}

/** The session that a browser has. */
async function sessionOf(context: BrowserContext): Promise<string> {
  return (await context.cookies()).find((c) => c.name === 'cloudlicenses')?.value ?? '';
}

test('Back after a log-out shows nobody’s data, nor the former user’s to the next', async () => {
  const { demo } = cluster.ready;
  for (const next of ['nobody', 'Vera Vogt']) {
    const { context, page } = await openPage(browser);
    await signIn(page, cluster);
    await page.goto(tenant('/users'));
    await page.getByRole('table').getByText(demo.admin_email).waitFor();
    await page.goto(tenant('/account'));
    await logOut(page);
    if (next !== 'nobody') {
      await page.getByLabel('E-mail address').fill(vera.email);
      await page.getByLabel('Password', { exact: true }).fill(vera.password);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: `Account of ${next}` }).waitFor();
    }
    await page.goBack();
    await page.getByRole('button', { name: next === 'nobody' ? 'Log in' : `Account of ${next}`, exact: true }).waitFor();
    expect(await page.getByText(demo.admin_email).count()).toBe(0);
    await context.close();
  }
});

test('a tab follows when another user logs in in the next one', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  await page.goto(tenant('/users'));
  await page.getByRole('table').waitFor();
  const next = await context.newPage();
  await next.goto(tenant('/account'));
  await logOut(next);
  await page.waitForURL('**/login?next=%2Fusers');
  await signIn(next, cluster, 'tenant', vera);
  await page.getByRole('button', { name: 'Account of Vera Vogt' }).waitFor();
  await page.getByText('Your role does not allow this').waitFor();
  await context.close();
});

test('a session that ends elsewhere leads to the log-in by itself', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  await page.goto(tenant('/account'));
  await page.locator('[data-live="live"]').waitFor();
  expect((await cluster.ask(cluster.ready.demo.tenant_id, 'POST', '/api/v1/logout', { token: await sessionOf(context) })).status).toBe(204);
  await page.waitForURL('**/login?next=%2Faccount', { timeout: 40_000 });
  await context.close();
});

test('a tab that nobody looks at holds no connection', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  const hidden = await context.newPage();
  await hidden.addInitScript(() => {
    Object.defineProperty(document, 'visibilityState', { get: () => ('shown' in window ? 'visible' : 'hidden') });
  });
  const streams: string[] = [];
  hidden.on('request', (r) => {
    if (r.url().endsWith('/api/v1/events')) streams.push(r.url());
  });
  await hidden.goto(tenant('/users'));
  await hidden.getByRole('table').waitFor();
  expect(streams).toEqual([]);
  await hidden.evaluate(() => {
    Object.assign(window, { shown: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await hidden.locator('[data-live="live"]').waitFor();
  expect(streams).toHaveLength(1);

  const ended = hidden.waitForEvent('requestfailed', { predicate: (r) => r.url().endsWith('/api/v1/events'), timeout: 15_000 });
  await hidden.evaluate(() => {
    Reflect.deleteProperty(window, 'shown');
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await ended;
  await context.close();
});

test('a lost answer says that it may have happened, and the list shows that it did', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  await page.goto(tenant('/users?invite=1'));
  await page.route('**/api/v1/users', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    const body: unknown = route.request().postDataJSON();
    expect((await cluster.ask(cluster.ready.demo.tenant_id, 'POST', '/api/v1/users', { token: await sessionOf(context), body })).status).toBe(201);
    return route.abort('connectionreset');
  });
  await page.getByLabel('Name', { exact: true }).fill('Lou Lost');
  await page.getByLabel('E-mail address').fill('lou@mercedes.com');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('It may have happened').waitFor();
  await page.getByRole('table', { includeHidden: true }).getByText('lou@mercedes.com').waitFor();
  await context.close();
});

test('a refusal of a dialog is forgotten when it is closed', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  await page.goto(tenant('/users'));
  await page.route('**/api/v1/users/*', (route) =>
    route.request().method() === 'DELETE'
      ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ type: 'about:blank', title: 'No leader', status: 503, detail: 'no leader', code: 'no_leader', request_id: 'r', retryable: true }) })
      : route.continue(),
  );
  const ask = async (): Promise<void> => {
    await page.getByRole('button', { name: 'Actions for Vera Vogt' }).click();
    await page.getByRole('menuitem', { name: 'Remove' }).click();
    await page.getByLabel(`Type ${vera.email} to confirm`).fill(vera.email);
  };
  await ask();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('alert').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await ask();
  expect(await page.getByRole('dialog').getByRole('alert').count()).toBe(0);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('alert').waitFor();
  await context.close();
});

test('a password is set while another is logged in: that session ends, and the token is nowhere to be seen', async () => {
  const { context, page } = await openPage(browser);
  const { demo, mail_dir } = cluster.ready;
  await signIn(page, cluster);
  const session = await sessionOf(context);
  const body = { email: vera.email };
  expect((await cluster.ask(demo.tenant_id, 'POST', '/api/v1/password/reset', { body })).status).toBeLessThan(300);
  await page.goto(welcomeLink(await mailTo(mail_dir, vera.email, 'password')));
  await page.getByText('You are logged in as').waitFor();
  expect(page.url()).toBe(tenant('/welcome'));
  await axe(page);
  await page.getByLabel('New password').fill(vera.password);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/login');
  const notice = page.getByText('Your password is set. Log in with it.');
  await notice.waitFor();
  expect((await cluster.ask(demo.tenant_id, 'GET', '/api/v1/me', { token: session })).status).toBe(401);
  await notice.waitFor({ state: 'detached' }); // it leaves by itself
  await context.close();
});

test('an operator’s old token does not stand in the way of a new one', async () => {
  const { context, page } = await openPage(browser);
  const { nodes, admin_token } = cluster.ready;
  const admin = nodes[0]?.admin ?? '';
  await page.goto(`${admin}/login`);
  await page.evaluate(() => sessionStorage.setItem('cloudlicenses.operator', 'of a cluster that is no more'));
  await page.reload();
  await page.getByLabel('Operator token').fill(admin_token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Operator log-in' }).waitFor({ state: 'detached' });
  expect(await page.evaluate(() => sessionStorage.getItem('cloudlicenses.operator'))).toBe(admin_token);
  await context.close();
});

test('a vendor’s link is for the vendor of the session, whatever was typed last', async () => {
  const { context, page } = await openPage(browser);
  const { demo } = cluster.ready;
  await signIn(page, cluster, 'vendor');
  await page.evaluate(() => localStorage.setItem('cloudlicenses.vendor', 'another-vendor'));
  await page.goto(cluster.url('vendors', '/account'));
  const asked = page.waitForRequest('**/api/v1/password/reset');
  await page.getByRole('button', { name: 'Mail me a link' }).click();
  expect((await asked).postDataJSON()).toEqual({ vendor_id: demo.vendor_id, email: demo.vendor_email });
  await context.close();
});

test('what is wrong with a field stands at it', async () => {
  const { context, page } = await openPage(browser);
  await page.goto(cluster.url('vendors', '/reset'));
  await page.getByLabel('Vendor ID').fill('Not An Id!');
  await page.getByLabel('E-mail address').fill('a@b.de');
  await page.keyboard.press('Enter');
  await page.locator('input[aria-invalid="true"]').waitFor();
  expect(await page.getByLabel('Vendor ID').getAttribute('aria-invalid')).toBe('true');
  expect(await page.getByLabel('Vendor ID').getAttribute('aria-describedby')).toContain('error');
  await context.close();
});

test('the platform’s own host asks for no session, and a link into its page leads there', async () => {
  const { context, page, noErrors } = await openPage(browser);
  const asked: string[] = [];
  page.on('request', (r) => asked.push(new URL(r.url()).pathname));
  await page.goto(cluster.url('', '/#login'));
  await until('the form to be scrolled to', () => page.evaluate(() => window.scrollY > 0).then((y) => y || undefined));
  expect(asked).not.toContain('/api/v1/me');
  noErrors();
  await context.close();
});

test('rows that one may no longer read are not shown any more', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  await page.goto(tenant('/users?invite=1'));
  const rows = page.getByRole('table', { includeHidden: true }).getByText(cluster.ready.demo.admin_email);
  await rows.waitFor();
  await page.route('**/api/v1/users?*', (route) => route.fulfill({
    status: 403,
    contentType: 'application/problem+json',
    body: JSON.stringify({ type: 'about:blank', title: 'Forbidden role', status: 403, detail: 'your role does not allow this', code: 'forbidden_role', request_id: 'r', retryable: false }),
  }));
  await page.getByLabel('Name', { exact: true }).fill('Nora Neu');
  await page.getByLabel('E-mail address').fill('nora@mercedes.com');
  const asked = page.waitForRequest('**/api/v1/me'); // the role may have changed
  await page.keyboard.press('Enter');
  await page.getByText('These rows could not be read').waitFor();
  await asked;
  expect(await rows.count()).toBe(0);
  await context.close();
});

test('single sign-on leads back to where one was', async () => {
  const { context, page } = await openPage(browser);
  await page.route('**/api/v1/login', (route) => route.fulfill({
    json: { password: true, company_name: 'Mercedes-Benz AG', sso: { name: 'Entra', login_url: tenant('/api/v1/sso/login'), enforced: false } },
  }));
  // The provider, in one step: it comes back to the first page, with a session.
  await page.route('**/api/v1/sso/login', (route) => route.fulfill({ status: 302, headers: { Location: '/' } }));
  await page.goto(tenant('/account'));
  await page.waitForURL('**/login?next=%2Faccount');
  await context.addCookies([{ name: 'cloudlicenses', value: await owner(), url: tenant('/') }]);
  await page.getByRole('link', { name: 'Log in with Entra' }).click();
  await page.waitForURL('**/account');
  await page.getByRole('heading', { name: 'Your account', level: 1 }).waitFor();
  await context.close();
});
