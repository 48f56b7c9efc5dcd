import { ActionIcon, Button, Checkbox, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { IconPencil, IconPlus } from '@tabler/icons-react';
import { useMemo, useState, type FormEvent } from 'react';

import { api } from '../../api/client';
import { useList, useWrite } from '../../api/hooks';
import { useMay } from '../../api/session';
import { Clip } from '../../parts/Clip';
import { DataTable, type Column } from '../../parts/DataTable';
import { FormProblem } from '../../parts/form';
import { PageHeader } from '../../parts/PageHeader';
import { StatusBadge } from '../../parts/StatusBadge';
import { When } from '../../parts/When';
import { text as shared } from '../../text/en';
import { settingsText } from '../../text/en-vendors-settings';
import type { Product } from './data';

const text = settingsText.products;
const changeable = ['name', 'version', 'min_lib_version'];

/** The catalog: add, change and archive products. */
export default function Products() {
  const manages = useMay('manage_settings');
  const [edited, setEdited] = useState<Product | 'new'>();
  const list = useList<Product>(['products'], (query, signal) => api.GET('/api/v1/products', { params: { query }, signal }));
  const columns = useMemo(() => (manages ? [...facts, edit(setEdited)] : facts), [manages]);
  const add = manages ? <Button leftSection={<IconPlus size={16} />} onClick={() => setEdited('new')}>{text.add}</Button> : undefined;
  const close = (): void => setEdited(undefined);
  return (
    <>
      <PageHeader title={text.title} description={text.description} actions={add} />
      <DataTable<Product> label={text.title} list={list} columns={columns} id={(p) => p.product_id} empty={{ title: text.emptyTitle, text: text.emptyText, action: add }} />
      <Modal opened={edited !== undefined} onClose={close} title={edited === 'new' || edited === undefined ? text.addTitle : text.editTitle(edited.name)}>
        {edited !== undefined && <ProductForm product={edited === 'new' ? undefined : edited} onClose={close} />}
      </Modal>
    </>
  );
}

const facts: readonly Column<Product>[] = [
  { accessor: 'name', title: text.name, render: (p) => <><Text size="sm" fw={500} style={{ overflowWrap: 'anywhere' }}>{p.name}</Text><Clip fz="xs" c="dimmed" className="mono" maw={{ base: 184, sm: 320 }}>{p.product_id}</Clip></> },
  { accessor: 'version', title: text.version, wide: true, render: (p) => p.version || <Text span inherit c="dimmed">{text.any}</Text> },
  { accessor: 'min_lib_version', title: text.lib, wide: true, render: (p) => p.min_lib_version || <Text span inherit c="dimmed">{text.any}</Text> },
  { accessor: 'archived', title: text.status, render: (p) => <StatusBadge status={p.archived ? 'archived' : 'sold'} mood={p.archived ? 'quiet' : 'good'} label={p.archived ? text.archived : text.sold} /> },
  { accessor: 'updated_at', title: text.updated, wide: true, render: (p) => <When at={p.updated_at} /> },
];

function edit(onEdit: (p: Product) => void): Column<Product> {
  return {
    accessor: 'actions',
    title: <span className="visually-hidden">{shared.table.actions}</span>,
    width: 60,
    textAlign: 'right',
    render: (p) => <ActionIcon variant="subtle" color="gray" c="dimmed" aria-label={`${text.edit}: ${p.name}`} onClick={() => onEdit(p)}><IconPencil size={18} /></ActionIcon>,
  };
}

function ProductForm({ product, onClose }: { product: Product | undefined; onClose: () => void }) {
  const [form, setForm] = useState({ product_id: '', name: product?.name ?? '', version: product?.version ?? '', min_lib_version: product?.min_lib_version ?? '', archived: product?.archived ?? false });
  const set = (change: Partial<typeof form>): void => setForm((old) => ({ ...old, ...change }));
  const save = useWrite(
    ({ product_id, ...change }: typeof form) =>
      product === undefined
        ? api.POST('/api/v1/products', { body: { product_id, ...change } })
        : api.PATCH('/api/v1/products/{id}', { params: { path: { id: product.product_id } }, body: change }),
    { stale: ['products'], done: (p) => text.saved(p.name), failed: 'self', onSuccess: onClose },
  );
  const wrong = (pointer: string): string | undefined => save.error?.field(pointer);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    save.mutate(form);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {product === undefined && <TextInput data-autofocus label={text.id} description={text.idHint} required withAsterisk={false} maxLength={100} autoComplete="off" spellCheck={false} value={form.product_id} error={wrong('product_id')} onChange={(e) => set({ product_id: e.currentTarget.value })} />}
        <TextInput label={text.name} required withAsterisk={false} maxLength={256} autoComplete="off" value={form.name} error={wrong('name')} onChange={(e) => set({ name: e.currentTarget.value })} />
        <TextInput label={text.version} description={text.versionHint} maxLength={100} autoComplete="off" spellCheck={false} value={form.version} error={wrong('version')} onChange={(e) => set({ version: e.currentTarget.value })} />
        <TextInput label={text.lib} description={text.libHint} maxLength={100} autoComplete="off" spellCheck={false} value={form.min_lib_version} error={wrong('min_lib_version')} onChange={(e) => set({ min_lib_version: e.currentTarget.value })} />
        <Checkbox label={text.archived} description={text.archiveHint} checked={form.archived} onChange={(e) => set({ archived: e.currentTarget.checked })} />
        <FormProblem error={save.error} shown={product === undefined ? ['product_id', ...changeable] : changeable} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{shared.actions.cancel}</Button>
          <Button type="submit" loading={save.isPending}>{shared.actions.save}</Button>
        </Group>
      </Stack>
    </form>
  );
}
