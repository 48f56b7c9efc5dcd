import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, fitsPhone, openBrowser, openPage, shoot, signIn } from './browser';
import { Cluster } from './cluster';
import { checkout, checkouts, ownerToken, read, type Pool } from './tenant-data';

interface Key {
  key_id: string;
  app_name: string;
  status: string;
  scopes: string[];
  allowed_hostnames: string[];
  allowed_ip_ranges: string[];
  checkouts_per_minute: number | null;
}

let cluster: Cluster;
let browser: Browser;
let token: string;
const name = 'DaVinci Configurator Workstation 042';

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  token = await ownerToken(cluster);
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

async function key(): Promise<Key> {
  const { items } = await read<{ items: Key[] }>(cluster, token, '/api/v1/keys');
  const found = items.find((k) => k.app_name === name);
  expect(found).toBeDefined();
  return found as Key;
}

test('a key is generated, restricted, rotated and revoked', async () => {
  const { context, page, noErrors } = await openPage(browser);
  page.setDefaultTimeout(10_000);
  await signIn(page, cluster);
  await page.getByRole('link', { name: 'Generate new key for application' }).click();

  // Three steps; Enter leads to the next one, and not past what is missing.
  const wizard = page.getByRole('dialog', { name: 'Generate an API key' });
  await wizard.getByLabel('Name').press('Enter');
  await wizard.getByText('Give the key a name.').waitFor();
  await wizard.getByLabel('Name').fill(name);
  await wizard.getByLabel('Department').fill('Powertrain Engineering');
  await wizard.getByLabel('Contact').fill('alice@mercedes.com');
  await axe(page);
  await shoot(page, 'tenant', 'key-wizard');
  await wizard.getByLabel('Name').press('Enter');
  await wizard.getByLabel('Expires after').waitFor();
  await axe(page);
  await wizard.getByRole('button', { name: 'Next' }).click();
  const ranges = wizard.getByLabel('IP addresses and networks');
  await ranges.fill('not a network');
  await ranges.press('Tab');
  await wizard.getByRole('button', { name: 'Generate key' }).click();
  await wizard.getByRole('alert').first().waitFor();
  await ranges.press('Backspace');
  await ranges.press('Backspace');
  await ranges.press('Backspace');
  await ranges.fill('127.0.0.0/8');
  await ranges.press('Enter');
  await wizard.getByLabel('Checkouts per minute').fill('60');
  await axe(page);
  await wizard.getByRole('button', { name: 'Generate key' }).click();

  const secret = page.getByRole('dialog', { name: 'Your new API key' });
  const apiKey = await secret.getByRole('group', { name: 'API key' }).innerText();
  expect(apiKey).toMatch(/^clsk_mercedes_/);
  await axe(page);
  await shoot(page, 'tenant', 'key-secret');
  await secret.getByRole('tab', { name: 'curl' }).click();
  await secret.getByRole('group', { name: 'curl' }).getByText('/api/v1/licenses/checkout').waitFor();
  await secret.getByRole('button', { name: 'I have stored it safely' }).click();
  await secret.waitFor({ state: 'detached' });
  expect(await page.content()).not.toContain(apiKey);
  expect(await key()).toMatchObject({ status: 'active', scopes: ['license:checkout', 'license:return'], allowed_ip_ranges: ['127.0.0.0/8'], checkouts_per_minute: 60 });
  await checkouts(cluster, ['alice@mercedes.com'], apiKey);

  const row = page.getByRole('row').filter({ hasText: name });
  await row.getByText('1 network').waitFor();
  await row.getByText('Powertrain Engineering · alice@mercedes.com').waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'keys');
  await fitsPhone(page);

  await row.getByRole('button', { name: `Actions for ${name}` }).click();
  await page.getByRole('menuitem', { name: 'Restrictions' }).click();
  const restrict = page.getByRole('dialog', { name: `Restrictions of ${name}` });
  await restrict.getByLabel('Hostnames').fill('dev-ws-042.mercedes.com');
  await restrict.getByLabel('Hostnames').press('Enter');
  await axe(page);
  await restrict.getByRole('button', { name: 'Save' }).click();
  await row.getByText('1 hostname, 1 network').waitFor();
  expect((await key()).allowed_hostnames).toEqual(['dev-ws-042.mercedes.com']);
  expect((await checkout(cluster, 'bea@mercedes.com', apiKey)).json<{ code: string }>().code).toBe('hostname_not_allowed');

  await row.getByRole('button', { name: `Actions for ${name}` }).click();
  await page.getByRole('menuitem', { name: 'Rotate secret' }).click();
  const rotate = page.getByRole('dialog', { name: `Rotate the secret of ${name}?` });
  await rotate.getByRole('button', { name: 'Rotate secret' }).click();
  const fresh = page.getByRole('dialog', { name: 'The new secret' });
  expect(await fresh.getByRole('group', { name: 'API key' }).innerText()).not.toBe(apiKey);
  await fresh.getByRole('button', { name: 'I have stored it safely' }).click();
  await row.getByText('Previous secret expires').waitFor();

  await row.getByRole('button', { name: `Actions for ${name}` }).click();
  await page.getByRole('menuitem', { name: 'Revoke' }).click();
  const revoke = page.getByRole('dialog', { name: `Revoke ${name}?` });
  await revoke.getByLabel('Release its leases too').check();
  await revoke.getByLabel(`Type ${name} to confirm`).fill(name);
  await axe(page);
  await revoke.getByRole('button', { name: 'Revoke' }).click();
  await row.getByText('Revoked').last().waitFor();
  expect(await key()).toMatchObject({ status: 'revoked' });
  expect(await read<Pool>(cluster, token, `/api/v1/licenses/${cluster.ready.demo.license_id}`)).toMatchObject({ in_use: 0 });
  expect((await checkout(cluster, 'bea@mercedes.com', apiKey)).status).toBe(401);
  noErrors();
  await context.close();
});
