// How much script the first page of each site needs, gzipped. The sum of what
// index.html loads and what the site's entry page imports, files counted once.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const limitBytes = 200_000;
const dist = new URL('../dist/', import.meta.url);
// Kept beside dist/, which the Go binary embeds as it is.
const manifest = JSON.parse(readFileSync(new URL('../.build/manifest.json', import.meta.url), 'utf8'));

/** Entry page of each site: what somebody sees first. */
const firstPages = {
  tenant: ['index.html', 'src/sites/tenant.ts', 'src/pages/shared/LogIn.tsx'],
  vendors: ['index.html', 'src/sites/vendors.ts', 'src/pages/shared/LogIn.tsx'],
  admin: ['index.html', 'src/sites/admin.ts', 'src/pages/shared/LogIn.tsx'],
  apex: ['index.html', 'src/sites/apex.ts', 'src/pages/apex/Landing.tsx'],
};

function filesOf(entry, found = new Set()) {
  const chunk = manifest[entry];
  if (chunk === undefined) throw new Error(`the manifest has no ${entry}: run npm run build`);
  if (!found.has(chunk.file)) {
    found.add(chunk.file);
    for (const imported of chunk.imports ?? []) filesOf(imported, found);
  }
  return found;
}

const gzipped = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;

let failed = false;
for (const [site, entries] of Object.entries(firstPages)) {
  const files = new Set();
  for (const entry of entries) filesOf(entry, files);
  const bytes = [...files].reduce((sum, file) => sum + gzipped(file), 0);
  const over = bytes > limitBytes;
  failed ||= over;
  console.log(`${site.padEnd(8)} ${(bytes / 1000).toFixed(1).padStart(6)} kB gzip in ${files.size} files${over ? `: over ${limitBytes / 1000} kB` : ''}`);
}
process.exitCode = failed ? 1 : 0;
