import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';

import { axe, openBrowser, openPage, shoot } from './browser';
import { Servers } from './servers';

let servers: Servers;
let browser: Browser;

beforeAll(async () => {
  servers = await Servers.start();
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await servers?.stop();
});

const failover = { timeout: 45_000 }; // gossip's suspicion, an election, a start

test('a node that is away and groups without leader stand on top, until all is well again', { timeout: 240_000 }, async () => {
  const { context, page, noErrors } = await openPage(browser);
  await page.goto(servers.adminURL('n1', '/'));
  await page.getByLabel('Operator token').fill(servers.adminToken);
  await page.keyboard.press('Enter');
  await page.getByText('Everything is well').waitFor(failover);

  await servers.kill('n3');
  const alert = page.getByRole('main').getByRole('alert');
  await alert.getByText(/^Node n3 is (suspect|dead): /).waitFor(failover);
  await page.getByRole('region', { name: 'Groups', exact: true }).getByText('no answer').first().waitFor(failover);
  await page.getByRole('region', { name: 'Nodes' }).getByRole('row').filter({ hasText: 'n3' }).getByText('Dead').waitFor(failover);
  await axe(page);
  await shoot(page, 'admin', 'cluster-away');

  await servers.kill('n2'); // one of three is no quorum
  await alert.getByText(/^License group 1 has no leader/).waitFor(failover);
  await alert.getByText(/^Directory has no leader/).waitFor(failover);

  servers.run('n2');
  servers.run('n3');
  await page.getByText('Everything is well').waitFor({ timeout: 90_000 });
  noErrors();
  await context.close();
});
