import 'mantine-datatable/styles.layer.css';

import { Box, Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import { DataTable as MantineDataTable, type DataTableColumn } from 'mantine-datatable';
import type { ReactNode } from 'react';

import type { List } from '../api/hooks';
import { text } from '../text/en';
import { EmptyState } from './EmptyState';
import { ProblemAlert } from './ProblemAlert';
import { useFilters, useSetFilters } from './UrlFilters';

export type Column<T> = DataTableColumn<T> & {
  /** Right-aligned, tabular digits. */
  number?: boolean;
  /** Left out below 768 px. */
  wide?: boolean;
};

interface Props<T> {
  /** What the table holds, for screen readers. */
  label: string;
  list: List<T>;
  columns: readonly Column<T>[];
  id: (row: T) => string;
  empty: { title: string; text: ReactNode; action?: ReactNode };
  /** Names of the filters in the URL: with one set, "nothing" means another thing. */
  filters?: readonly string[];
  onRowClick?: (row: T) => void;
}

const noFilters: readonly string[] = [];

/** A table of the portal: skeleton, error with retry, empty state and pages. */
export function DataTable<T extends object>({ label, list, columns, id, empty, filters = noFilters, onRowClick }: Props<T>) {
  const set = useFilters(filters);
  const setFilters = useSetFilters();
  if (list.error !== null && list.items.length === 0) {
    return <ProblemAlert title={text.table.failed} error={list.error} onRetry={list.retry} />;
  }
  if (list.pending) return <Rows />;
  if (list.items.length === 0 && list.previous === undefined) {
    return (
      <Box className="card">
        {Object.keys(set).length > 0 ? (
          <EmptyState
            title={text.table.nothingMatches}
            action={<Button mt="xs" variant="default" onClick={() => setFilters(Object.fromEntries(filters.map((f) => [f, null])))}>{text.table.clear}</Button>}
          >
            {text.table.nothingMatchesText}
          </EmptyState>
        ) : (
          <EmptyState title={empty.title} action={empty.action}>{empty.text}</EmptyState>
        )}
      </Box>
    );
  }
  return (
    <Stack gap="sm">
      {list.error !== null && <ProblemAlert error={list.error} onRetry={list.retry} />}
      <Box className="card" style={{ overflow: 'hidden' }}>
        <MantineDataTable<T>
          records={list.items}
          columns={columns.map(plain)}
          idAccessor={(row) => id(row)}
          highlightOnHover={onRowClick !== undefined}
          verticalSpacing="xs"
          horizontalSpacing="md"
          withTableBorder={false}
          minHeight={0}
          noRecordsText=""
          backgroundColor="var(--portal-card)"
          scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'group', 'aria-label': label } }}
          {...(onRowClick === undefined ? {} : { onRowClick: ({ record }: { record: T }) => onRowClick(record) })}
        />
      </Box>
      <Pages list={list} />
    </Stack>
  );
}

function plain<T>({ number, wide, ...column }: Column<T>): DataTableColumn<T> {
  return {
    ...column,
    ...(number === true ? { textAlign: 'right' as const, cellsClassName: 'num' } : {}),
    ...(wide === true ? { visibleMediaQuery: '(min-width: 48em)' } : {}),
  } as DataTableColumn<T>;
}

function Pages<T>({ list }: { list: List<T> }) {
  if (list.next === undefined && list.previous === undefined) return null;
  return (
    <Group justify="flex-end" gap="xs" component="nav" aria-label={text.table.paging}>
      <Text size="sm" c="dimmed" className="num">{text.table.page(list.pageNumber)}</Text>
      <Button size="xs" variant="default" disabled={list.previous === undefined} onClick={list.previous} leftSection={<IconChevronLeft size={14} />}>{text.table.previous}</Button>
      <Button size="xs" variant="default" disabled={list.next === undefined} onClick={list.next} rightSection={<IconChevronRight size={14} />}>{text.table.next}</Button>
    </Group>
  );
}

const skeletonRows = 6;

function Rows() {
  return (
    <Stack className="card" gap="md" p="md" role="status" aria-label={text.table.loading}>
      {Array.from({ length: skeletonRows }, (_, i) => <Skeleton key={i} h={16} />)}
    </Stack>
  );
}
