import { Tabs } from '@mantine/core';

import type { Schemas } from '../../api/client';
import { SecretOnce } from '../../parts/SecretOnce';
import { Snippet } from '../../parts/Snippet';
import { keysText as text } from '../../text/en-tenant';

type Made = Schemas['GeneratedKey'];

/** A key's secret, shown once, with what to paste into the application's settings. */
export function KeySecret({ made, rotated, onClose }: { made: Made | undefined; rotated: boolean; onClose: () => void }) {
  return (
    <SecretOnce title={rotated ? text.rotatedTitle : text.secretTitle} label={text.secret} secret={made?.api_key} onClose={onClose}>
      {made !== undefined && <Snippets made={made} />}
    </SecretOnce>
  );
}

function Snippets({ made }: { made: Made }) {
  const { environment_variables: env, config_file: file } = made.integration_snippet;
  const snippets = {
    env: Object.entries(env).map(([name, value]) => `export ${name}=${value}`).join('\n'),
    file: JSON.stringify(file, null, 2),
    curl: [
      `curl -X POST ${made.tenant_url}/api/v1/licenses/checkout \\`,
      `  -H "Authorization: Bearer ${made.api_key}" \\`,
      '  -H "Content-Type: application/json" \\',
      `  -d '{"product_id": "PRODUCT", "user": "you@example.com"}'`,
    ].join('\n'),
  };
  return (
    <Tabs defaultValue="env" keepMounted={false}>
      <Tabs.List mb="xs">
        <Tabs.Tab value="env">{text.snippets.env}</Tabs.Tab>
        <Tabs.Tab value="file">{text.snippets.file}</Tabs.Tab>
        <Tabs.Tab value="curl">{text.snippets.curl}</Tabs.Tab>
      </Tabs.List>
      {(['env', 'file', 'curl'] as const).map((kind) => (
        <Tabs.Panel key={kind} value={kind}><Snippet label={text.snippets[kind]}>{snippets[kind]}</Snippet></Tabs.Panel>
      ))}
    </Tabs>
  );
}
