import type { Browser, Page } from 'playwright-core';
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

async function openUsers(): Promise<Awaited<ReturnType<typeof openPage>>> {
  const opened = await openPage(browser);
  await signIn(opened.page, cluster);
  await opened.page.goto(cluster.url(cluster.ready.demo.tenant_id, '/users'));
  await opened.page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  return opened;
}

async function openAccount(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Your account' }).click();
}

const account = '**/assets/Account-*.js';

test('a page whose file is gone is loaded anew, once, and the navigation stays', async () => {
  const { context, page } = await openUsers();
  await page.route(account, (route) => route.fulfill({ status: 404 }));
  await page.route((url) => url.pathname === '/', (route) => route.fulfill({ contentType: 'text/html', body: '<script type="module" src="/assets/index-another.js"></script>' }));
  const reloaded = page.waitForEvent('load');
  await openAccount(page);
  await reloaded;
  const again: string[] = [];
  page.on('load', () => again.push(page.url()));
  await page.getByRole('heading', { name: 'A new version is here' }).waitFor();
  await page.getByRole('navigation', { name: 'Main navigation' }).waitFor();
  await axe(page);
  expect(again).toEqual([]);
  await page.unroute(account);
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.getByRole('heading', { name: 'Your account', level: 1 }).waitFor();
  await context.close();
});

test('a file that is missing in the same version is no new version', async () => {
  const { context, page } = await openUsers();
  await page.route(account, (route) => route.fulfill({ status: 404 }));
  await openAccount(page);
  await page.getByRole('heading', { name: 'This page did not load' }).waitFor();
  await context.close();
});

test('a server that is away is said to be, and the page comes when it is back', async () => {
  const { context, page } = await openUsers();
  await context.setOffline(true);
  await openAccount(page);
  await page.getByRole('heading', { name: 'The server cannot be reached' }).waitFor();
  await page.getByRole('navigation', { name: 'Main navigation' }).waitFor();
  await axe(page);
  await context.setOffline(false);
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
