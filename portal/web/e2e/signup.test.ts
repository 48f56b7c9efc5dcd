import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, shoot } from './browser';
import { Cluster } from './cluster';
import { mailTo, welcomeLink } from './mail';
import { setPassword, setRecord } from './steps';

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

const password = 'a sentence of my own';

/** Finds out on the way that a short password is refused. */
async function choosePassword(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('New password').fill('short');
  await page.keyboard.press('Enter');
  await page.getByText('At least 12 characters.', { exact: true }).waitFor();
  await axe(page);
  await setPassword(page, link, password);
}

test('the landing page says what this is and what it costs, and is there in no time', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await page.goto(cluster.url('')); // fills caches of the process, not of the next context
  await context.close();
  const { context: fresh, page: first } = await openPage(browser);
  await first.goto(cluster.url(''));
  await first.getByRole('link', { name: 'Sign up your company' }).waitFor();
  const interactive = await first.evaluate(() => performance.now());
  console.log(`interactive after ${Math.round(interactive)} ms`);
  expect(interactive).toBeLessThan(1_500);
  const plans = (await cluster.ask('', 'GET', '/api/v1/plans')).json<{ items: { plan: string }[] }>();
  await first.getByRole('link', { name: 'Choose Enterprise' }).waitFor();
  expect(await first.getByRole('link', { name: /^Choose/ }).count()).toBe(plans.items.length);
  await axe(first);
  await shoot(first, 'apex', 'landing', { fullPage: true });
  await first.getByLabel('Tenant ID').fill(cluster.ready.demo.tenant_id);
  await first.keyboard.press('Enter');
  await first.waitForURL(cluster.url(cluster.ready.demo.tenant_id, '/login'));
  noErrors();
  await fresh.close();
});

test('a company signs up, proves its domain and logs in', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await page.goto(cluster.url('', '/signup?plan=startup'));
  await page.getByRole('group', { name: 'Company' }).getByLabel('Name').fill('Bayerische Motoren Werke AG');
  await page.getByLabel('Domain').fill('https://www.bmw.example/');
  expect(await page.getByLabel('Tenant ID').inputValue()).toBe('bmw');
  await page.getByLabel('Tenant ID').fill('mercedes');
  await page.getByRole('combobox', { name: 'Country' }).fill('Germany');
  await page.getByRole('option', { name: 'Germany' }).click();
  const admin = page.getByRole('group', { name: 'First administrator' });
  await admin.getByLabel('Name').fill('Bea Becker');
  await admin.getByLabel('E-mail address').fill('bea@bmw.example');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('Is taken, or looks like one that is').waitFor();
  await axe(page);
  await shoot(page, 'apex', 'signup');
  await page.getByLabel('Tenant ID').fill('bmw');
  await page.getByRole('button', { name: 'Continue' }).click();

  await page.getByText('Waiting for the record').waitFor();
  await axe(page);
  await shoot(page, 'apex', 'verify');
  await page.reload(); // what was begun goes on
  await page.getByText('Waiting for the record').waitFor();
  await setRecord(cluster, page);
  await page.getByRole('heading', { name: 'Domain verified' }).waitFor();
  await axe(page);
  await shoot(page, 'apex', 'verified');

  const tenants = (await cluster.admin('GET', '/v1/tenants/bmw')).json<{ id: string; status: string }>();
  expect(tenants).toMatchObject({ id: 'bmw', status: 'active' });
  await choosePassword(page, welcomeLink(await mailTo(cluster.ready.mail_dir, 'bea@bmw.example')));
  await page.getByLabel('E-mail address').fill('bea@bmw.example');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Main navigation' }).waitFor();
  await page.getByText('Give your vendor your tenant ID: bmw').waitFor();
  await page.getByRole('button', { name: 'Copy tenant ID' }).waitFor();
  await axe(page);
  await page.getByRole('link', { name: 'Webhooks' }).click();
  await page.getByText('Add one to be told when licenses are provisioned').waitFor();
  noErrors();
  await context.close();
});

test('a vendor signs up on the vendors’ host and logs in', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await page.goto(cluster.url('vendors', '/login'));
  await page.getByRole('link', { name: 'Sign up as a vendor' }).click();
  await page.getByRole('group', { name: 'Company' }).getByLabel('Name').fill('Green Hills Software');
  await page.getByLabel('Domain').fill('greenhills.example');
  await page.getByRole('combobox', { name: 'Country' }).fill('United States');
  await page.getByRole('option', { name: 'United States', exact: true }).click();
  const admin = page.getByRole('group', { name: 'First administrator' });
  await admin.getByLabel('Name').fill('Gil Green');
  await admin.getByLabel('E-mail address').fill('gil@greenhills.example');
  await axe(page);
  await shoot(page, 'vendors', 'signup');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('Waiting for the record').waitFor();
  await setRecord(cluster, page);
  await page.getByRole('heading', { name: 'Domain verified' }).waitFor();
  await choosePassword(page, welcomeLink(await mailTo(cluster.ready.mail_dir, 'gil@greenhills.example')));
  expect(await page.getByLabel('Vendor ID').inputValue()).toBe('greenhills');
  await page.getByLabel('E-mail address').fill('gil@greenhills.example');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await axe(page);
  await shoot(page, 'vendors', 'login');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Account of Gil Green' }).waitFor();
  noErrors();
  await context.close();
});

test('a host that is nobody’s says so, and an address that is no page', async () => {
  const { context, page } = await openPage(browser);
  await page.goto(cluster.url('nobody-here', '/users'));
  await page.getByRole('heading', { name: 'There is nobody at this address' }).waitFor();
  await axe(page);
  await shoot(page, 'unknown', 'host');
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, '/no/such/page'));
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  await axe(page);
  await page.goto(cluster.url('', '/problems/overage_cap_reached'));
  await page.getByRole('heading', { name: 'Overage cap reached' }).waitFor();
  await axe(page);
  await shoot(page, 'apex', 'problem');
  await page.goto(cluster.url('', '/problems/no_such_code'));
  await page.getByRole('heading', { name: 'There is no problem of this name.' }).waitFor();
  await context.close();
});
