import { Button, Group, Skeleton, Stack, Switch, Text, Title } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useMemo, useState } from 'react';

import { useMay } from '../../../api/session';
import { ConfirmByName } from '../../../parts/ConfirmByName';
import { DataTable, type Column } from '../../../parts/DataTable';
import { Facts } from '../../../parts/Facts';
import { ProblemAlert } from '../../../parts/ProblemAlert';
import { text as shared } from '../../../text/en';
import { settingsText } from '../../../text/en-tenant-settings';
import { CapLimits } from '../CapFacts';
import { useCapName, useSettings, type Cap } from '../data';
import { useShownList } from '../shown-list';
import { CapForm } from './CapForm';
import { capId, toChange, useChangeRules } from './caps';

const text = settingsText.overage;

/** The tenant's own rules on overage: refuse all of it, or cap it. */
export default function Overage() {
  const settings = useSettings();
  const { data, error } = settings;
  if (data === undefined) return error === null ? <Skeleton h={160} /> : <ProblemAlert error={error} onRetry={() => void settings.refetch()} />;
  return (
    <Stack gap="lg">
      <Deny deny={data.overage.deny} />
      <Caps caps={data.overage.caps} />
      <Facts title={text.warnings} facts={[]}><Text size="sm" c="dimmed">{text.warningsText}</Text></Facts>
    </Stack>
  );
}

function Deny({ deny }: { deny: boolean }) {
  const manages = useMay('manage_settings');
  const change = useChangeRules({ done: (s) => (s.overage.deny ? text.denied : text.allowed) });
  return (
    <Stack className="card" p="md" gap="sm" component="section" aria-label={text.rule}>
      <Title order={2} size="h3">{text.rule}</Title>
      <Switch label={text.deny} description={text.denyText} checked={change.isPending ? !deny : deny} disabled={!manages || change.isPending} onChange={(e) => change.mutate({ deny: e.currentTarget.checked })} />
    </Stack>
  );
}

function Caps({ caps }: { caps: Cap[] }) {
  const manages = useMay('manage_settings');
  const settings = useSettings();
  const nameOf = useCapName();
  const [form, setForm] = useState<{ cap: Cap | undefined }>();
  const [removing, setRemoving] = useState<Cap>();
  const columns = useMemo(() => capColumns(nameOf, manages ? { edit: (cap) => setForm({ cap }), remove: setRemoving } : undefined), [nameOf, manages]);
  const list = useShownList(settings, caps);
  const add = manages ? <Button leftSection={<IconPlus size={16} />} variant="default" onClick={() => setForm({ cap: undefined })}>{text.add}</Button> : undefined;
  return (
    <Stack gap="sm" component="section" aria-label={text.caps}>
      <Group justify="space-between">
        <Title order={2}>{text.caps}</Title>
        {caps.length > 0 && add}
      </Group>
      <Text size="sm" c="dimmed" maw={720}>{text.capsText}</Text>
      <DataTable<Cap> label={text.caps} list={list} columns={columns} id={capId} empty={{ title: text.none, text: text.noneText, action: add }} />
      {form !== undefined && <CapForm was={form.cap} caps={caps} onClose={() => setForm(undefined)} />}
      {removing !== undefined && <Remove cap={removing} name={nameOf(removing)} caps={caps} onClose={() => setRemoving(undefined)} />}
    </Stack>
  );
}

function capColumns(nameOf: (cap: Cap) => string, ask: { edit: (cap: Cap) => void; remove: (cap: Cap) => void } | undefined): Column<Cap>[] {
  const columns: Column<Cap>[] = [
    { accessor: 'name', title: text.name, render: (c) => <Text size="sm" fw={500}>{nameOf(c)}</Text> },
    { accessor: 'kind', title: text.kind, wide: true, render: (c) => (c.license_id === undefined ? text.key : text.license) },
    { accessor: 'limits', title: text.caps, number: true, render: (c) => <CapLimits cap={c} /> },
  ];
  if (ask !== undefined) {
    columns.push({
      accessor: 'actions',
      title: <span className="visually-hidden">{shared.table.actions}</span>,
      textAlign: 'right',
      render: (c) => (
        <Group gap="xs" justify="flex-end">
          <Button size="compact-sm" variant="default" aria-label={text.editOf(nameOf(c))} onClick={() => ask.edit(c)}>{text.edit}</Button>
          <Button size="compact-sm" variant="default" aria-label={text.removeOf(nameOf(c))} onClick={() => ask.remove(c)}>{text.remove}</Button>
        </Group>
      ),
    });
  }
  return columns;
}

function Remove({ cap, name, caps, onClose }: { cap: Cap; name: string; caps: Cap[]; onClose: () => void }) {
  const change = useChangeRules({ done: text.removed, failed: 'self', onSuccess: onClose });
  return (
    <ConfirmByName opened onClose={onClose} title={text.removeTitle(name)} action={text.remove} busy={change.isPending} error={change.error} onConfirm={() => change.mutate({ caps: caps.filter((c) => capId(c) !== capId(cap)).map(toChange) })}>
      {text.removeText}
    </ConfirmByName>
  );
}
