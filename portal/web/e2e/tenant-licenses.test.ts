import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, shoot, signIn } from './browser';
import { Cluster } from './cluster';
import { checkout, checkouts, giveBack, makeLicenses, ownerToken, people, read, type Granted, type Pool } from './tenant-data';

let cluster: Cluster;
let browser: Browser;
let token: string;
let first: Granted[];

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  token = await ownerToken(cluster);
  first = await checkouts(cluster, people);
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

test('home shows seats, overage and costs, and moves with every checkout', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster);
  await page.waitForURL('**/home');
  const row = page.getByRole('row').filter({ hasText: 'DaVinci Configurator SE' });
  await row.getByText('7 / 20').waitFor();
  // 5 are commit, 2 overage: 5,000 a month and 2 × 500.
  await page.getByText('€6,000.00').first().waitFor();
  await page.locator('[data-live="live"]').waitFor();

  const [zoe] = await checkouts(cluster, ['zoe@mercedes.com']);
  const since = Date.now();
  await page.getByText('zoe@mercedes.com checked out').waitFor({ timeout: 5_000 });
  await row.getByText('8 / 20').waitFor({ timeout: 5_000 });
  expect(Date.now() - since).toBeLessThan(1_000);
  await page.getByText('€6,500.00').first().waitFor({ timeout: 5_000 });
  await giveBack(cluster, [zoe as Granted]);
  await row.getByText('7 / 20').waitFor({ timeout: 5_000 });
  await page.getByText('zoe@mercedes.com returned').waitFor();

  // A page that is opened later has what was before, goes on live, and tells nothing twice.
  await page.reload();
  const recent = page.getByRole('region', { name: 'Recent activity' });
  await recent.getByText('zoe@mercedes.com returned').waitFor();
  await page.locator('[data-live="live"]').waitFor();
  const [yara] = await checkouts(cluster, ['yara@mercedes.com']);
  await recent.getByText('yara@mercedes.com checked out').waitFor({ timeout: 5_000 });
  await giveBack(cluster, [yara as Granted]);
  await recent.getByText('yara@mercedes.com returned').waitFor({ timeout: 5_000 });
  const told = (): Promise<string[]> => recent.getByText(/^(zoe|yara)@mercedes.com (checked out|returned)/).allTextContents();
  const names = (await told()).map((t) => t.split(' DaVinci')[0]);
  expect(names).toEqual(['yara@mercedes.com returned', 'yara@mercedes.com checked out', 'zoe@mercedes.com returned', 'zoe@mercedes.com checked out']);
  await page.getByRole('link', { name: 'DaVinci Configurator SE' }).click();
  await page.getByRole('heading', { name: 'DaVinci Configurator SE', level: 1 }).waitFor();
  await recent.getByText('zoe@mercedes.com checked out').waitFor();
  expect((await told()).map((t) => t.split(' DaVinci')[0])).toEqual(names);
  await page.getByRole('link', { name: 'Home', exact: true }).click();

  await makeLicenses(cluster);
  await page.reload();
  await page.getByRole('row').filter({ hasText: 'Multi 8.2' }).getByText('8 / 20').waitFor();
  await page.locator('[data-live="live"]').waitFor();
  const [held] = await checkouts(cluster, ['zoe@mercedes.com', 'yann@mercedes.com']);
  await giveBack(cluster, [held as Granted]);
  await checkout(cluster, 'xenia@mercedes.com', cluster.ready.demo.api_key, 'davinci-ide'); // refused: 10 of 10 are in use
  await page.getByText(/xenia@mercedes.com was refused/).waitFor();
  await page.getByText('zoe@mercedes.com returned').waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'home', { fullPage: true });
  noErrors();
  await context.close();
});

test('the catalog is filtered by its URL', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster);
  await page.getByRole('link', { name: 'Licenses', exact: true }).click();
  const product = page.getByRole('link', { name: 'DaVinci Configurator SE' });
  await page.getByRole('link', { name: 'Multi 8.2' }).waitFor();
  await product.waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'licenses');
  await page.getByLabel('Product or license ID').fill('no such thing');
  await page.getByText('Nothing matches these filters').waitFor();
  expect(new URL(page.url()).searchParams.get('q')).toBe('no such thing');
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, '/licenses?q=davinci&status=provisioned'));
  await product.click();
  await page.getByRole('heading', { name: 'DaVinci Configurator SE', level: 1 }).waitFor();
  noErrors();
  await context.close();
});

test('a license shows who holds it, and a lease is released', async () => {
  const { context, page, noErrors } = await openPage(browser);
  const { license_id: id } = cluster.ready.demo;
  page.setDefaultTimeout(10_000);
  await signIn(page, cluster);
  for (let n = 0; n < 13; n++) expect((await checkout(cluster, `workstation-${n + 1}@mercedes.com`)).status).toBe(n < 12 ? 201 : 409);
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, `/licenses/${id}`));
  await page.getByText('20 of 20 seats in use').waitFor();
  await page.getByText('Peak seats in use').waitFor();
  await page.locator('.recharts-surface').first().waitFor();
  const row = page.getByRole('row').filter({ hasText: 'bea@mercedes.com' });
  await row.getByText('Commit').last().waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'license', { fullPage: true });

  await row.getByRole('button', { name: 'Release the lease of bea@mercedes.com' }).click();
  const dialog = page.getByRole('dialog', { name: 'Release the lease of bea@mercedes.com?' });
  await axe(page);
  await dialog.getByRole('button', { name: 'Release' }).click();
  await row.waitFor({ state: 'detached' });
  await page.getByText('19 of 20 seats in use').waitFor();
  expect(await read<Pool>(cluster, token, `/api/v1/licenses/${id}`)).toMatchObject({ in_use: 19, commit_in_use: 4, overage_in_use: 15 });
  const beat = await cluster.ask(cluster.ready.demo.tenant_id, 'POST', '/api/v1/licenses/heartbeat', { token: cluster.ready.demo.api_key, body: { lease_id: first[1]?.lease_id } });
  expect(beat.json<{ code: string }>().code).toBe('lease_released');

  // Hours, days and months stand in the URL, and a table says the same as the chart.
  await page.getByText('Hour', { exact: true }).click();
  await page.waitForURL('**by=hour*');
  await page.getByRole('button', { name: 'Show as a table' }).click();
  await page.getByRole('cell', { name: '15', exact: true }).first().waitFor();
  noErrors();
  await context.close();
});
