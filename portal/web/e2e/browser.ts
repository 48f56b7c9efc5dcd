import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { AxeBuilder } from '@axe-core/playwright';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';

import { until, type Cluster } from './cluster';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const flags = [
  '--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run',
  '--host-resolver-rules=MAP *.example 127.0.0.1', // white-label hosts
];
const screenshots = resolve(import.meta.dirname, '../../../docs/screenshots');

export const wide = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };

/**
 * Debian's browser, with an empty profile. Playwright turns the memory of pages
 * off that a person's Back goes to; `pageMemory` leaves it on.
 */
export function openBrowser({ pageMemory = false } = {}): Promise<Browser> {
  return chromium.launch({ executablePath, args: flags, ...(pageMemory ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}) });
}

/** A page of its own context. What a page logs as an error fails `noErrors`. */
export async function openPage(browser: Browser, locale = 'en-US'): Promise<{ context: BrowserContext; page: Page; noErrors: () => void }> {
  const context = await browser.newContext({ viewport: wide, locale, timezoneId: 'Europe/Berlin', colorScheme: 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    // The browser itself logs each refusal of the API; those are asserted on where they matter.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) errors.push(message.text());
  });
  return {
    context,
    page,
    noErrors: () => {
      if (errors.length > 0) throw new Error(`the page logged errors:\n${errors.join('\n')}`);
    },
  };
}

/** Logs in by the page, as a person does: the demo's owner, unless told who. */
export async function signIn(page: Page, cluster: Cluster, as: 'tenant' | 'vendor' = 'tenant', who?: { email: string; password: string }): Promise<void> {
  const { demo } = cluster.ready;
  const { email, password } = who ?? (as === 'tenant' ? { email: demo.admin_email, password: demo.admin_password } : { email: demo.vendor_email, password: demo.vendor_password });
  await page.goto(cluster.url(as === 'tenant' ? demo.tenant_id : 'vendors', '/login'));
  if (as === 'vendor') await page.getByLabel('Vendor ID').fill(demo.vendor_id);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.getByRole('button', { name: /^Account of/ }).waitFor();
}

/** Fails on anything that axe finds, in both themes. */
export async function axe(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).first().waitFor(); // the page is there
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-mantine-color-scheme="${colorScheme}"]`).waitFor();
    const { violations } = await new AxeBuilder({ page }).analyze();
    if (violations.length > 0) {
      const found = violations.map((v) => `${v.id} (${v.impact}): ${v.help}\n${v.nodes.slice(0, 4).map((n) => `  ${n.html}\n  ${n.failureSummary ?? ''}`).join('\n')}`);
      throw new Error(`axe, ${colorScheme}:\n${found.join('\n')}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Waits until nothing scrolls sideways on a phone. */
export async function fitsPhone(page: Page): Promise<void> {
  await page.setViewportSize(phone);
  await until('nothing to scroll sideways', async () => {
    const wider = await page.evaluate(() =>
      [...document.querySelectorAll('html, main *')]
        .filter((e) => e.scrollWidth > e.clientWidth && (e.tagName === 'HTML' || ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)))
        .map((e) => e.className),
    );
    return wider.length === 0 || undefined;
  });
  await page.setViewportSize(wide);
}

/**
 * Takes the four pictures of a page: docs/screenshots/<site>-<name>-<light|dark>-<wide|phone>.png.
 * With SCREENSHOTS=off, as in CI, nothing is written.
 */
export async function shoot(page: Page, site: string, name: string, { fullPage = false } = {}): Promise<void> {
  if (process.env.SCREENSHOTS === 'off') return;
  await mkdir(screenshots, { recursive: true });
  await page.mouse.move(0, 0); // notices leave by themselves, but not from under the pointer
  await until('notices to leave', async () => (await page.locator('.mantine-Notification-root').count()) === 0 || undefined);
  for (const [width, viewport] of Object.entries({ wide, phone })) {
    await page.setViewportSize(viewport);
    if (fullPage) await page.evaluate(() => window.scrollTo(0, 0)); // the header is at the top
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.locator(`html[data-mantine-color-scheme="${colorScheme}"]`).waitFor();
      await page.screenshot({ path: join(screenshots, `${site}-${name}-${colorScheme}-${width}.png`), animations: 'disabled', caret: 'hide', fullPage });
    }
  }
  await page.setViewportSize(wide);
  await page.emulateMedia({ colorScheme: 'light' });
}
