import { readFile } from 'node:fs/promises';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, shoot, signIn } from './browser';
import { Cluster } from './cluster';
import { checkout, checkouts, giveBack, makeLicenses, ownerToken, people, read } from './tenant-data';

interface AuditPage {
  items: { action: string; result: string; user: string }[];
}

let cluster: Cluster;
let browser: Browser;
let token: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  token = await ownerToken(cluster);
  const held = await checkouts(cluster, people);
  await giveBack(cluster, held.slice(0, 2));
  await cluster.ask(cluster.ready.demo.tenant_id, 'POST', '/api/v1/licenses/checkout', { token: cluster.ready.demo.api_key, body: { product_id: cluster.ready.demo.product_id, user: 'late@mercedes.com', count: 20 } });
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

test('costs are shown by product, as a forecast and as a file', async () => {
  const { context, page, noErrors } = await openPage(browser);
  page.setDefaultTimeout(10_000);
  await signIn(page, cluster);
  await page.getByRole('link', { name: 'Costs' }).click();
  const row = page.getByRole('row').filter({ hasText: 'DaVinci Configurator SE' });
  await row.getByText('€6,000.00').waitFor();
  const costs = await read<{ period: string; totals: { total: number }[] }>(cluster, token, '/api/v1/costs');
  expect(costs.totals[0]?.total).toBe(6_000);
  await page.getByText('Forecast to month’s end').waitFor();
  await makeLicenses(cluster);
  await page.reload();
  await page.getByRole('row').filter({ hasText: 'Multi 8.2' }).getByText('€8,000.00').last().waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'costs');

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download CSV' }).click()]);
  expect(download.suggestedFilename()).toBe(`costs-${costs.period}.csv`);
  expect(await readFile(await download.path(), 'utf8')).toContain(',5,5000.00,2,1000.00,6000.00,EUR');

  // Months before have no forecast; which one is shown stands in the URL.
  await page.getByLabel('Month').fill('2026-01');
  await page.waitForURL('**month=2026-01*');
  await page.getByText('Forecast to month’s end').waitFor({ state: 'detached' });
  await row.getByText('€5,000.00').last().waitFor();
  noErrors();
  await context.close();
});

test('the audit log is filtered, verified and downloaded', async () => {
  const { context, page, noErrors } = await openPage(browser);
  page.setDefaultTimeout(10_000);
  await signIn(page, cluster);
  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByText(/^Chain verified: \d+ records$/).waitFor();
  await page.getByRole('row').filter({ hasText: 'alice@mercedes.com' }).first().waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'audit');

  await page.getByRole('combobox', { name: 'Result' }).click();
  await page.getByRole('option', { name: 'overage_max_exceeded' }).click();
  await page.waitForURL('**result=overage_max_exceeded*');
  const refused = page.getByRole('row').filter({ hasText: 'late@mercedes.com' });
  await refused.waitFor();
  await page.getByRole('row').filter({ hasText: 'alice@mercedes.com' }).first().waitFor({ state: 'detached' });
  const { items } = await read<AuditPage>(cluster, token, '/api/v1/audit?result=overage_max_exceeded');
  expect(items).toHaveLength(1);
  await refused.getByRole('button', { name: 'Checkout' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByText('127.0.0.1').waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'audit-record');
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download CSV' }).click()]);
  const csv = await readFile(await download.path(), 'utf8');
  expect(csv.trim().split('\n')).toHaveLength(2);
  expect(csv).toContain('late@mercedes.com');

  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.getByRole('button', { name: 'Last hour' }).click();
  await page.waitForURL('**from=*');
  expect(new URL(page.url()).searchParams.has('result')).toBe(false);
  await page.getByRole('row').filter({ hasText: 'alice@mercedes.com' }).first().waitFor();
  expect((await checkout(cluster, 'more@mercedes.com')).status).toBe(201);
  noErrors();
  await context.close();
});
