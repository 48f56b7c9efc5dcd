import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, openBrowser, openPage, signIn } from './browser';
import { Cluster } from './cluster';

// A part of the application that is not there any more: the server was upgraded.

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

test('a page whose file is gone is loaded anew, once, and the navigation stays', async () => {
  const { context, page } = await openPage(browser);
  await signIn(page, cluster);
  await page.goto(cluster.url(cluster.ready.demo.tenant_id, '/users'));
  await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  await page.route('**/assets/Account-*.js', (route) => route.fulfill({ status: 404 }));
  const reloaded = page.waitForEvent('load');
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Your account' }).click();
  await reloaded;
  const again: string[] = [];
  page.on('load', () => again.push(page.url()));
  await page.getByRole('heading', { name: 'A new version is here' }).waitFor();
  await page.getByRole('navigation', { name: 'Main navigation' }).waitFor();
  await axe(page);
  expect(again).toEqual([]);
  await page.unroute('**/assets/Account-*.js');
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.getByRole('heading', { name: 'Your account', level: 1 }).waitFor();
  await context.close();
});

test('a portal that cannot start says so', async () => {
  const { context, page } = await openPage(browser);
  await page.route('**/assets/tenant-*.js', (route) => route.fulfill({ status: 404 }));
  await page.goto(cluster.url(cluster.ready.demo.tenant_id));
  await page.getByText('The portal could not be loaded.').waitFor();
  await context.close();
});
