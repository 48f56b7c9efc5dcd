import { Alert } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ReactNode } from 'react';

import { formatMonth } from '../format';
import { text } from '../text/en';
import { month } from './period';
import { useFilters } from './UrlFilters';

const form = /^\d{4}-(0[1-9]|1[0-2])$/;

/** The month that the URL names, and what to say where it names none: `shown` is what the page has then. */
export function useMonth(name: string, shown = formatMonth(month())): { asked: string | undefined; wrong: ReactNode } {
  const { [name]: asked } = useFilters([name]);
  if (asked === undefined || form.test(asked)) return { asked, wrong: null };
  return {
    asked: undefined,
    wrong: (
      <Alert mb="sm" color="yellow" variant="outline" icon={<IconAlertTriangle />} styles={{ root: { background: 'var(--portal-card)' } }} role="alert">
        {text.range.noMonth(asked.slice(0, 20), month(), shown)}
      </Alert>
    ),
  };
}
