import { Button, Group, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconSearch, IconX } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { useSearchParams } from 'react-router';

import { text } from '../text/en';

/** One filter of a table; its name is that of the parameter in URL and API. */
export interface Filter {
  name: string;
  label: string;
  kind: 'text' | 'select' | 'date' | 'month';
  options?: readonly { value: string; label: string }[];
}

const typingMillis = 300;
const noNames: readonly string[] = [];

/** What the URL says of some filters; what is not set is left out. */
export function useFilters<N extends string>(names: readonly N[]): Partial<Record<N, string>> {
  const [params] = useSearchParams();
  const set: Partial<Record<N, string>> = {};
  for (const name of names) {
    const value = params.get(name);
    if (value !== null && value !== '') set[name] = value;
  }
  return set;
}

/** Changes filters in the URL; the list begins at its first page then. */
export function useSetFilters(): (change: Readonly<Record<string, string | null>>) => void {
  const [, setParams] = useSearchParams();
  return (change) =>
    setParams(
      () => {
        // The URL itself: what the hook has is as old as the last rendering, and
        // would bring back a filter that was cleared just before.
        const now = new URLSearchParams(window.location.search);
        now.delete('cursor');
        for (const [name, value] of Object.entries(change)) {
          if (value === null || value === '') now.delete(name);
          else now.set(name, value);
        }
        return now;
      },
      { replace: true },
    );
}

/** The row of filters above a table. They stand in the URL, to be shared. */
export function UrlFilters({ filters, also = noNames, children }: {
  filters: readonly Filter[];
  /** Names of filters that the children set, so that they are cleared too. */
  also?: readonly string[];
  children?: ReactNode;
}) {
  const names = [...filters.map((f) => f.name), ...also];
  const values = useFilters(names);
  const set = useSetFilters();
  const any = Object.keys(values).length > 0;
  return (
    <Group gap="xs" mb="sm" align="flex-end" role="search">
      {filters.map((f) => <Field key={f.name} filter={f} value={values[f.name] ?? ''} onChange={(v) => set({ [f.name]: v })} />)}
      {children}
      {any && (
        <Button variant="subtle" color="gray" c="dimmed" size="sm" leftSection={<IconX size={14} />} onClick={() => set(Object.fromEntries(names.map((name) => [name, null])))}>
          {text.table.clear}
        </Button>
      )}
    </Group>
  );
}

function Field({ filter, value, onChange }: { filter: Filter; value: string; onChange: (value: string | null) => void }) {
  if (filter.kind === 'select') {
    return (
      <Select size="sm" w={180} clearable placeholder={text.table.any} label={filter.label} data={[...(filter.options ?? [])]} value={value === '' ? null : value} onChange={onChange} />
    );
  }
  if (filter.kind === 'text') return <Typed label={filter.label} value={value} onChange={onChange} />;
  return <TextInput size="sm" w={160} type={filter.kind} label={filter.label} value={value} onChange={(e) => onChange(e.currentTarget.value)} />;
}

// What is typed goes into the URL after a pause; what the URL says otherwise
// (back, clear) takes its place.
function Typed({ label, value, onChange }: { label: string; value: string; onChange: (value: string | null) => void }) {
  const [typed, setTyped] = useState(value);
  const [sent, setSent] = useState(value);
  const send = useDebouncedCallback((v: string) => {
    setSent(v);
    onChange(v);
  }, typingMillis);
  if (value !== sent) {
    setSent(value);
    setTyped(value);
  }
  return (
    <TextInput
      size="sm"
      w={220}
      label={label}
      value={typed}
      leftSection={<IconSearch size={14} />}
      onChange={(e) => {
        setTyped(e.currentTarget.value);
        send(e.currentTarget.value);
      }}
    />
  );
}
