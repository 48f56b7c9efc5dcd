import type { Page } from 'playwright-core';
import { expect } from 'vitest';

import type { Cluster } from './cluster';

/** Sets the record that a sign-up's page shows, as the company's DNS would. */
export async function setRecord(cluster: Cluster, page: Page): Promise<void> {
  const name = await page.getByRole('group', { name: 'Name' }).innerText();
  const value = await page.getByRole('group', { name: 'Value' }).innerText();
  const set = await cluster.admin('PUT', '/v1/dev/dns', { name: name.trim(), type: 'TXT', value: value.trim() });
  expect(set.status).toBe(200);
}

/** Sets a password by the link of a mail, and comes to the log-in. */
export async function setPassword(page: Page, link: string, password: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('New password').fill(password);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/login');
}
