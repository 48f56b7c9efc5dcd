import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, fitsPhone, openBrowser, openPage, shoot, signIn } from './browser';
import { Cluster } from './cluster';
import { checkout, checkouts, ownerToken, read } from './tenant-data';

interface Rules {
  overage: { deny: boolean; caps: { license_id?: string; max_uses: number | null; max_cost: number | null }[] };
}

interface Standing {
  status: string;
}

interface VendorPage {
  items: { blocked: boolean }[];
}

let cluster: Cluster;
let browser: Browser;
let token: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  token = await ownerToken(cluster);
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

async function openSettings(tab: string): Promise<{ page: Page; end: () => Promise<void> }> {
  const { context, page, noErrors } = await openPage(browser);
  page.setDefaultTimeout(10_000);
  await signIn(page, cluster);
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('tab', { name: tab }).click();
  return {
    page,
    end: async () => {
      noErrors();
      await context.close();
    },
  };
}

test('the plan is shown with its limits, and changed', async () => {
  const { page, end } = await openSettings('Company & plan');
  await page.getByText('1 of 3').or(page.getByText('1, no limit')).first().waitFor();
  const { plan } = await read<{ plan: string }>(cluster, token, '/api/v1/plan');
  const to = plan === 'enterprise' ? 'Professional' : 'Enterprise';
  await axe(page);
  await shoot(page, 'tenant', 'settings-plan');
  await fitsPhone(page);

  await page.getByRole('button', { name: 'Choose Free' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Choose Free' }).click();
  await page.getByRole('alert').getByText('Choose a larger plan').waitFor(); // 20 seats are more than it has
  await axe(page);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: `Choose ${to}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: `Choose ${to}` }).click();
  await page.getByText(`Your plan is ${to} now.`).waitFor();
  expect((await read<{ plan: string }>(cluster, token, '/api/v1/plan')).plan).toBe(to.toLowerCase());
  await end();
});

test('overage is capped, and refused as a whole', async () => {
  const { page, end } = await openSettings('Overage rules');
  await page.getByText('No caps').waitFor();
  await page.getByRole('button', { name: 'Add cap' }).click();
  const form = page.getByRole('dialog', { name: 'Add a cap' });
  await form.getByRole('combobox', { name: 'Which' }).click();
  await page.getByRole('option', { name: /DaVinci Configurator SE/ }).click();
  await form.getByLabel('Uses, at most').fill('1');
  await axe(page);
  await form.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('cell', { name: '1 use per month' }).waitFor();
  expect((await read<Rules>(cluster, token, '/api/v1/settings')).overage.caps).toMatchObject([{ license_id: cluster.ready.demo.license_id, max_uses: 1, max_cost: null }]);
  await checkouts(cluster, ['a', 'b', 'c', 'd', 'e', 'f']);
  expect((await checkout(cluster, 'g')).json<{ code: string }>().code).toBe('overage_cap_reached');
  await axe(page);
  await shoot(page, 'tenant', 'settings-overage');

  await page.getByRole('switch', { name: 'Refuse all overage' }).click({ force: true });
  await page.getByText('Overage is refused from now on.').waitFor();
  expect((await read<Rules>(cluster, token, '/api/v1/settings')).overage.deny).toBe(true);
  expect((await checkout(cluster, 'g')).json<{ code: string }>().code).toBe('overage_declined');

  await page.getByRole('button', { name: /^Remove the cap of/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText('No caps').waitFor();
  expect((await read<Rules>(cluster, token, '/api/v1/settings')).overage.caps).toEqual([]);
  await end();
});

test('a vendor is blocked and unblocked', async () => {
  const { page, end } = await openSettings('Vendors');
  await page.getByRole('button', { name: /^Block/ }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Type vector-de to confirm').fill('vector-de');
  await dialog.getByRole('button', { name: 'Block' }).click();
  await page.getByRole('cell', { name: 'Blocked' }).waitFor();
  expect((await read<VendorPage>(cluster, token, '/api/v1/vendors')).items[0]?.blocked).toBe(true);
  await axe(page);
  await shoot(page, 'tenant', 'settings-vendors');
  await page.getByRole('button', { name: /^Unblock/ }).click();
  await page.getByRole('cell', { name: 'Linked' }).waitFor();
  expect((await read<VendorPage>(cluster, token, '/api/v1/vendors')).items[0]?.blocked).toBe(false);
  await end();
});

test('single sign-on is told to be set up, and refusals stand at their fields', async () => {
  await cluster.ask(cluster.ready.demo.tenant_id, 'PATCH', '/api/v1/plan', { token, body: { plan: 'professional' } });
  const first = await openSettings('Single sign-on');
  await first.page.getByText('Part of the plan Enterprise').waitFor();
  await first.end();
  await cluster.ask(cluster.ready.demo.tenant_id, 'PATCH', '/api/v1/plan', { token, body: { plan: 'enterprise' } });
  const { page, end } = await openSettings('Single sign-on');
  await page.getByRole('group', { name: 'Redirect URI, to be registered at your provider' }).getByText('/api/v1/sso/callback').waitFor();
  await axe(page);
  await shoot(page, 'tenant', 'settings-sso');
  await page.getByLabel('Issuer').fill('https://127.0.0.1');
  await page.getByLabel('Client ID').fill('portal');
  await page.getByRole('combobox', { name: 'E-mail domains' }).fill('mercedes.com');
  await page.getByRole('combobox', { name: 'E-mail domains' }).press('Enter');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').first().waitFor();
  await axe(page);
  await end();
});

test('the tenant is deleted by its typed name, and kept after all', async () => {
  const { page, end } = await openSettings('Delete tenant');
  await page.getByRole('button', { name: 'Delete tenant' }).click();
  const dialog = page.getByRole('dialog');
  const action = dialog.getByRole('button', { name: 'Delete tenant' });
  expect(await action.isDisabled()).toBe(true);
  await dialog.getByLabel('Type mercedes to confirm').fill('mercedes');
  await axe(page);
  await action.click();
  await page.getByText('This tenant is being deleted').waitFor();
  expect((await read<Standing>(cluster, token, '/api/v1/deletion')).status).toBe('deleting');
  await axe(page);
  await shoot(page, 'tenant', 'settings-deletion');
  await page.getByRole('button', { name: 'Keep the tenant' }).click();
  await page.getByText('The tenant stays.').waitFor();
  expect((await read<Standing>(cluster, token, '/api/v1/deletion')).status).toBe('active');
  await end();
});

test('a webhook endpoint is added, and its secret shown once', async () => {
  const { page, end } = await openSettings('Company & plan');
  await page.getByRole('link', { name: 'Webhooks' }).click();
  await page.getByRole('button', { name: 'Add endpoint' }).first().click();
  const form = page.getByRole('dialog', { name: 'Add a webhook endpoint' });
  await form.getByLabel('URL').fill('https://127.0.0.1:9/hooks');
  await form.getByRole('combobox', { name: 'Events' }).press('ArrowDown');
  await page.getByRole('option', { name: 'overage.warning' }).click();
  expect(await page.getByRole('option', { name: 'invoice.issued' }).count()).toBe(0);
  await form.getByLabel('URL').click();
  await form.getByRole('button', { name: 'Add endpoint' }).click();
  const secret = page.getByRole('dialog', { name: 'Your new endpoint' });
  await secret.getByText(/^whsec_/).waitFor();
  await secret.getByRole('button', { name: 'I have stored it safely' }).click();
  await page.getByRole('row').filter({ hasText: 'https://127.0.0.1:9/hooks' }).waitFor();
  expect((await read<{ items: unknown[] }>(cluster, token, '/api/v1/webhooks')).items).toMatchObject([{ url: 'https://127.0.0.1:9/hooks', events: ['overage.warning'] }]);
  await axe(page);
  await shoot(page, 'tenant', 'webhooks');
  await end();
});
