import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { until } from './cluster';

/** Waits for a mail to an address in dev's folder of .eml files; its subject has a word. */
export function mailTo(folder: string, address: string, subject = ''): Promise<string> {
  return until(`a mail to ${address}`, async () => {
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.eml')) continue;
      const raw = await readFile(join(folder, name), 'utf8');
      const head = raw.slice(0, raw.search(/\r?\n\r?\n/));
      if (new RegExp(`^To:.*${address.replaceAll('.', '\\.')}`, 'im').test(head) && new RegExp(`^Subject:.*${subject}`, 'im').test(head)) return raw;
    }
    return undefined;
  });
}

/** The link to set a password in a mail. */
export function welcomeLink(mail: string): string {
  const link = /https?:\/\/\S+\/welcome\?\S+/.exec(mail)?.[0];
  if (link === undefined) throw new Error(`no link in:\n${mail}`);
  return link;
}
