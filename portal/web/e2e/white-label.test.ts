import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, shoot } from './browser';
import { Cluster } from './cluster';
import { asVendor } from './vendor-data';

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

const host = 'licensing.vector.example';
const name = 'Vector Licensing';

interface Settings {
  white_label: { dns_record: { name: string; value: string } };
}

test('a white-label host has its vendor’s name and mark, and lets its users in without a vendor ID', async () => {
  const { demo } = cluster.ready;
  const set = await asVendor(cluster, 'PATCH', '/api/v1/settings', { branding: { name, color: '#ffd43b' }, white_label: { host } });
  expect(set.status, set.body).toBe(200);
  const { dns_record: record } = set.json<Settings>().white_label;
  await cluster.admin('PUT', '/v1/dev/dns', { name: record.name, type: 'TXT', value: record.value });
  const verified = await asVendor(cluster, 'POST', '/api/v1/settings/white-label/verify');
  expect(verified.status, verified.body).toBe(200);

  const { context, page, noErrors } = await openPage(browser);
  await page.goto(`http://${host}:${cluster.port}/`);
  const header = page.getByRole('banner');
  await header.getByText(name).waitFor();
  expect(await page.getByLabel('Vendor ID').count()).toBe(0);
  expect(await page.getByRole('link', { name: 'Sign up as a vendor' }).count()).toBe(0);
  await axe(page);
  await shoot(page, 'vendors', 'white-label');
  await page.getByLabel('E-mail address').fill(demo.vendor_email);
  await page.getByLabel('Password', { exact: true }).fill(demo.vendor_password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Dashboard', level: 1 }).waitFor();
  await header.getByText(name).waitFor();
  expect(await page.title()).toContain(name);
  await axe(page);
  noErrors();
  await context.close();

  const { context: plain, page: platform } = await openPage(browser);
  await platform.goto(cluster.url('vendors'));
  await platform.getByRole('banner').getByText('cloudlicenses').waitFor();
  await plain.close();
});
