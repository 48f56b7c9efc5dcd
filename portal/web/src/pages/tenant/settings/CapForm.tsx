import { Button, Group, Modal, SegmentedControl, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';

import { decimalsOf, fitsCurrency, isNumber, type Typed } from '../../../numbers';
import { NumberField } from '../../../parts/NumberField';
import { ProblemAlert } from '../../../parts/ProblemAlert';
import { text as shared } from '../../../text/en';
import { settingsText } from '../../../text/en-tenant-settings';
import { useAllKeys, useLicenses, type Cap } from '../data';
import { capId, toChange, useChangeRules } from './caps';

const text = settingsText.overage;
type Kind = 'license' | 'key';

/** Adds a monthly cap, or changes one; there is one of each license and key. */
export function CapForm({ was, caps, onClose }: { was: Cap | undefined; caps: Cap[]; onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title={was === undefined ? text.addTitle : text.editTitle}>
      <Form was={was} caps={caps} onClose={onClose} />
    </Modal>
  );
}

function useChoices(kind: Kind, taken: readonly string[]): { value: string; label: string }[] {
  const { data: licenses } = useLicenses();
  const { data: keys } = useAllKeys();
  const all = kind === 'license'
    ? (licenses?.items ?? []).map((l) => ({ value: l.license_id, label: `${l.product_name || l.product_id} (${l.license_id})` }))
    : (keys ?? []).filter((k) => k.status === 'active').map((k) => ({ value: k.key_id, label: k.app_name || k.key_id }));
  return all.filter((c) => !taken.includes(`${kind} ${c.value}`));
}

function Form({ was, caps, onClose }: { was: Cap | undefined; caps: Cap[]; onClose: () => void }) {
  const [kind, setKind] = useState<Kind>(was?.key_id === undefined ? 'license' : 'key');
  const [which, setWhich] = useState<string | null>(was?.license_id ?? was?.key_id ?? null);
  const [uses, setUses] = useState<Typed>(was?.max_uses ?? '');
  const [cost, setCost] = useState<Typed>(was?.max_cost ?? '');
  const [currency, setCurrency] = useState(was?.currency ?? '');
  const others = was === undefined ? caps : caps.filter((c) => capId(c) !== capId(was));
  const choices = useChoices(kind, others.map(capId));
  const save = useChangeRules({ done: text.saved, failed: 'self', onSuccess: onClose });
  const complete = which !== null && (uses !== '' || cost !== '') && (uses === '' || isNumber(uses)) && (cost === '' || fitsCurrency(cost, currency.trim()));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (which === null || !complete) return;
    const cap: Cap = {
      ...(kind === 'license' ? { license_id: which } : { key_id: which }),
      max_uses: uses === '' ? null : uses,
      max_cost: cost === '' ? null : cost,
      ...(currency.trim() === '' ? {} : { currency: currency.trim().toUpperCase() }),
    };
    save.mutate({ caps: [...others, cap].map(toChange) });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <SegmentedControl aria-label={text.subject} disabled={was !== undefined} value={kind} onChange={(k) => { setKind(k); setWhich(null); }} data={[{ value: 'license', label: text.license }, { value: 'key', label: text.key }]} />
        <Select data-autofocus label={text.which} searchable disabled={was !== undefined} data={choices} value={which} onChange={setWhich} />
        <NumberField label={text.uses} value={uses} onChange={setUses} decimals={0} />
        <SimpleGrid cols={2} spacing="md">
          <NumberField label={text.cost} value={cost} onChange={setCost} decimals={decimalsOf(currency.trim())} />
          <TextInput label={text.currency} placeholder={kind === 'license' ? text.currencyHint : undefined} maxLength={3} value={currency} onChange={(e) => setCurrency(e.currentTarget.value)} />
        </SimpleGrid>
        <Text size="xs" c="dimmed">{text.one}</Text>
        {save.error !== null && <ProblemAlert error={save.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" disabled={!complete} loading={save.isPending}>{shared.actions.save}</Button>
        </Group>
      </Stack>
    </form>
  );
}
