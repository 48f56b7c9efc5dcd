import { Anchor, Button, Group, Stack, Text, ThemeIcon, Title } from '@mantine/core';
import { IconCheck, IconClock } from '@tabler/icons-react';
import { Link } from 'react-router';

import type { Schemas } from '../../api/client';
import { vendorText as text } from '../../text/en-vendors';
import { licensePath } from './license-columns';
import { PackageLink } from './PackageLink';

/** What became of a license that was just generated. */
export function GeneratedCard({ generated, customer, tenant, onAnother }: {
  generated: Schemas['GeneratedLicense'];
  customer: string;
  tenant: string;
  onAnother: () => void;
}) {
  const there = generated.status === 'provisioned';
  const [title, says] = there
    ? [text.generate.provisioned, text.generate.provisionedText(customer)]
    : generated.status === 'waiting_for_tenant'
      ? [text.generate.waiting, text.generate.waitingText(tenant)]
      : [text.generate.generated, text.generate.generatedText];
  return (
    <Stack className="card" p="xl" align="center" ta="center" gap="sm" role="status" data-status={generated.status}>
      <ThemeIcon size={48} radius="xl" variant="default" c={there ? 'var(--portal-good)' : 'var(--portal-warn)'}>{there ? <IconCheck aria-hidden /> : <IconClock aria-hidden />}</ThemeIcon>
      <Title order={2}>{title}</Title>
      <Text className="mono">{generated.license_id}</Text>
      <Text size="sm" c="dimmed" maw={480}>{says}</Text>
      {there && <Anchor href={generated.customer_tenant} size="sm">{generated.customer_tenant}</Anchor>}
      <Group justify="center" gap="xs" mt="sm">
        <Button component={Link} to={licensePath(generated.license_id)}>{text.generate.open}</Button>
        <PackageLink id={generated.license_id}>{text.generate.package}</PackageLink>
        <Button variant="default" onClick={onAnother}>{text.generate.another}</Button>
      </Group>
    </Stack>
  );
}
