import { readFile } from 'node:fs/promises';

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axe, fitsPhone, openBrowser, openPage, shoot, signIn } from './browser';
import { Cluster } from './cluster';
import { asVendor, checkOut, makeCustomers, people, type Customer } from './vendor-data';

let cluster: Cluster;
let browser: Browser;
let customers: Customer[];

beforeAll(async () => {
  cluster = await Cluster.start();
  browser = await openBrowser();
  customers = await makeCustomers(cluster);
  const { demo } = cluster.ready;
  await checkOut(cluster, demo.tenant_id, demo.api_key, demo.product_id, people(21)); // one too many
});

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

async function download(page: Page, name: string): Promise<{ file: string; content: string }> {
  const [got] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
  return { file: got.suggestedFilename(), content: await readFile(await got.path(), 'latin1') };
}

test('customers are found by name, CRM account and tenant; auto-provisioning is set', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'vendor');
  await page.getByRole('link', { name: 'Customers', exact: true }).first().click();
  const table = page.getByRole('table');
  await table.getByText('Mercedes-Benz AG').waitFor();
  await axe(page);
  await shoot(page, 'vendors', 'customers');
  await page.getByLabel('Name', { exact: true }).last().fill('bosch');
  await page.waitForURL('**/customers?name=bosch');
  await table.getByText('Mercedes-Benz AG').waitFor({ state: 'detached' });
  await page.getByText('Tenant ID').click();
  await page.getByLabel('Tenant ID').last().fill('nobody');
  await page.getByText('Nothing matches these filters').waitFor();
  await page.getByText('CRM account ID').click();
  await page.getByLabel('CRM account ID').last().fill('ACC-98765');
  await table.getByText('Mercedes-Benz AG').click();

  await page.getByRole('heading', { name: 'Mercedes-Benz AG', level: 1 }).waitFor();
  const provisioning = page.getByRole('region', { name: 'Auto-provisioning' });
  await provisioning.getByText('Off').click();
  await page.getByText('Auto-provisioning of Mercedes-Benz AG is set.').waitFor();
  const { items } = (await asVendor(cluster, 'GET', '/api/v1/customers?consistency=linearizable')).json<{ items: { crm_account_id: string; auto_provision: boolean | null }[] }>();
  expect(items.find((c) => c.crm_account_id === 'ACC-98765')?.auto_provision).toBe(false);
  await page.getByRole('region', { name: 'This month' }).getByRole('cell', { name: '€7,500.00', exact: true }).waitFor();
  await axe(page);
  await shoot(page, 'vendors', 'customer');
  noErrors();
  await context.close();
});

test('overage is exported, and a use taken back', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'vendor');
  await page.getByRole('link', { name: 'Billing', exact: true }).click();
  const row = page.getByRole('table').getByRole('row').filter({ hasText: 'Mercedes-Benz AG' });
  await row.getByRole('cell', { name: '€7,500.00', exact: true }).waitFor();
  await page.getByText('Overage in EUR').waitFor();
  await axe(page);
  await shoot(page, 'vendors', 'billing');
  const csv = await download(page, 'Download CSV');
  expect(csv.file).toMatch(/^overage-\d{4}-\d\d-01-.*\.csv$/);
  expect(csv.content).toMatch(/ACC-98765,Mercedes-Benz AG,.*7500\.00/);
  expect((await download(page, 'Download PDF')).content.slice(0, 5)).toBe('%PDF-');
  expect(JSON.parse((await download(page, 'Download JSON')).content)).toMatchObject({ vendor_id: 'vector-de' });

  await row.getByRole('link', { name: /^Overage records of/ }).click();
  const records = page.getByRole('table');
  await records.getByRole('button', { name: /^Take back/ }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill('Test run of the installer');
  await axe(page);
  await dialog.getByRole('button', { name: 'Take back' }).click();
  await page.getByText('The uses are taken back.').waitFor();
  await records.getByText('-€500.00').waitFor();
  await axe(page);
  await fitsPhone(page);
  await shoot(page, 'vendors', 'records');

  await page.getByRole('link', { name: 'Billing', exact: true }).click();
  await row.getByRole('cell', { name: '€7,000.00', exact: true }).waitFor();
  noErrors();
  await context.close();
});

test('a month is invoiced, and an invoice voided by a credit note', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'vendor');
  await page.getByRole('link', { name: 'Billing', exact: true }).click();
  await page.getByRole('tab', { name: 'Invoices' }).click();
  await page.getByText('No invoices yet').waitFor();
  await page.getByRole('button', { name: 'Run a month' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Run a month' }).click();
  await page.getByText(/made, 0 were there/).waitFor();
  const invoices = page.getByRole('table');
  await invoices.getByRole('cell', { name: 'Robert Bosch GmbH', exact: true }).waitFor();
  await axe(page);
  await shoot(page, 'vendors', 'invoices');

  await invoices.getByRole('row').filter({ hasText: 'Mercedes-Benz AG' }).getByRole('link').click();
  const lines = page.getByRole('region', { name: 'Lines' });
  await lines.getByText('DaVinci Configurator SE - Commit (5 licenses)').waitFor();
  await lines.getByRole('cell', { name: '€5,000.00' }).last().waitFor();
  await axe(page);
  await shoot(page, 'vendors', 'invoice');
  const id = (await page.getByRole('heading', { level: 1 }).textContent()) ?? '';
  await page.getByRole('button', { name: 'Void' }).click();
  await page.getByLabel('Reason').fill('The contract was canceled');
  await axe(page);
  await page.getByLabel(`Type ${id} to confirm`).fill(id);
  await page.keyboard.press('Enter');
  await page.getByText('its credit note is made').waitFor();
  await page.getByText('Cancels').waitFor();
  await page.getByText('The contract was canceled').waitFor();
  expect((await asVendor(cluster, 'GET', `/api/v1/billing/invoices/${id}?consistency=linearizable`)).json()).toMatchObject({ state: 'void', void_reason: 'The contract was canceled' });
  noErrors();
  await context.close();
});

test('analytics tell who uses what, when, and what was refused', async () => {
  const { context, page, noErrors } = await openPage(browser);
  await signIn(page, cluster, 'vendor');
  await page.getByRole('link', { name: 'Analytics' }).click();
  const lost = page.getByRole('region', { name: 'Lost demand' });
  await lost.getByRole('cell', { name: 'All overage seats were taken', exact: true }).waitFor();
  await page.getByRole('region', { name: 'Checkouts by customer and product' }).getByText(/^\d+ refused$/).first().waitFor();
  await page.getByRole('region', { name: 'Peak times: seats in use on average' }).waitFor();
  await axe(page);
  await fitsPhone(page);
  await page.getByRole('region', { name: 'Peak times' }).getByRole('button', { name: 'Show as a table' }).click();
  await fitsPhone(page);
  await axe(page);
  await page.getByRole('button', { name: 'Show as a chart' }).click();
  await shoot(page, 'vendors', 'analytics', { fullPage: true });
  const csv = await download(page, 'CSV');
  expect(csv.content.split('\n')[0]).toContain('CRM_Account_ID,Customer_Name,Product');
  for (const c of customers) expect(csv.content).toContain(c.crm);
  await page.getByRole('combobox', { name: 'Product' }).click();
  await page.getByRole('option', { name: 'CANoe' }).click();
  await page.waitForURL('**/analytics?product_id=canoe');
  await lost.getByText('No checkout lacked a seat in these days.').waitFor();
  await page.getByText('Hour', { exact: true }).click();
  await page.waitForURL('**by=hour**');
  await page.goto(cluster.url('vendors', '/analytics?from=2026-11-20&to=2026-11-10'));
  await page.getByText('After the last day').waitFor();
  expect(await page.getByLabel('From').inputValue()).toBe('2026-11-20');
  await axe(page);
  await page.getByLabel('From').fill('2026-11-01');
  await page.getByText('After the last day').waitFor({ state: 'detached' });
  await page.goto(cluster.url('vendors', '/billing/invoices?period=2026-13'));
  await page.getByRole('alert').getByText('“2026-13” is no month.').waitFor();
  await axe(page);
  await page.goto(cluster.url('vendors', '/analytics?product_id=canoe'));
  await page.getByRole('table').getByText('Robert Bosch GmbH').first().waitFor();
  expect(await page.getByRole('table').getByText('Mercedes-Benz AG').count()).toBe(0);
  noErrors();
  await context.close();
});
