import { Button, Group, Modal, Select, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { text as shared } from '../../text/en';
import { settingsText } from '../../text/en-vendors-settings';

const text = settingsText.keys;
type Key = Schemas['Key'];
type Request = Schemas['KeyRequest'];

export function GenerateKey({ opened, onClose, onSecret }: { opened: boolean; onClose: () => void; onSecret: (secret: string) => void }) {
  return <Modal opened={opened} onClose={onClose} title={text.generateTitle}><GenerateForm onClose={onClose} onSecret={onSecret} /></Modal>;
}

function GenerateForm({ onClose, onSecret }: { onClose: () => void; onSecret: (secret: string) => void }) {
  const [name, setName] = useState('');
  const [days, setDays] = useState('');
  const [hostnames, setHostnames] = useState<string[]>([]);
  const [networks, setNetworks] = useState<string[]>([]);
  const [intent] = useState(() => crypto.randomUUID());
  const generate = useWrite((body: Request) => api.POST('/api/v1/keys/generate', { params: { header: { 'Idempotency-Key': intent } }, body }), {
    stale: ['keys'],
    failed: 'self',
    onSuccess: (made) => onSecret(made.api_key),
  });
  const wrong = (pointer: string): string | undefined => generate.error?.field(pointer);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    generate.mutate({
      app_name: name.trim(),
      app_type: 'cloud_service',
      ...(days === '' ? {} : { expires_in_days: Number(days) }),
      ...(hostnames.length === 0 ? {} : { allowed_hostnames: hostnames }),
      ...(networks.length === 0 ? {} : { allowed_ip_ranges: networks }),
    });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">{text.generateText}</Text>
        <TextInput data-autofocus label={text.name} description={text.nameHint} required withAsterisk={false} maxLength={100} autoComplete="off" value={name} error={wrong('app_name')} onChange={(e) => setName(e.currentTarget.value)} />
        <Select label={text.expiry} allowDeselect={false} data={Object.entries(text.expiries).map(([value, label]) => ({ value, label })).toSorted((a, b) => Number(a.value) - Number(b.value))} value={days} onChange={(v) => setDays(v ?? '')} />
        <TagsInput label={text.hostnames} description={text.hostnamesHint} value={hostnames} error={wrong('allowed_hostnames')} onChange={setHostnames} />
        <TagsInput label={text.addresses} description={text.addressesHint} value={networks} error={wrong('allowed_ip_ranges')} onChange={setNetworks} />
        {generate.error !== null && <ProblemAlert error={generate.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={generate.isPending}>{text.generate}</Button>
        </Group>
      </Stack>
    </form>
  );
}

const dayOverlap = '86400';

export function RotateKey({ apiKey, onClose, onSecret }: { apiKey: Key; onClose: () => void; onSecret: (secret: string) => void }) {
  const [overlap, setOverlap] = useState(dayOverlap);
  const rotate = useWrite(() => api.POST('/api/v1/keys/{id}/rotate', { params: { path: { id: apiKey.key_id } }, body: { overlap_seconds: Number(overlap) } }), {
    stale: ['keys'],
    failed: 'self',
    onSuccess: (made) => onSecret(made.api_key),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    rotate.mutate(undefined);
  };
  return (
    <Modal opened onClose={onClose} title={text.rotateTitle(apiKey.app_name)}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <Text size="sm" c="dimmed">{text.rotateText}</Text>
          <Select label={text.overlap} allowDeselect={false} data={Object.entries(text.overlaps).map(([value, label]) => ({ value, label }))} value={overlap} onChange={(v) => setOverlap(v ?? dayOverlap)} />
          {rotate.error !== null && <ProblemAlert error={rotate.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
            <Button type="submit" loading={rotate.isPending}>{text.rotate}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
