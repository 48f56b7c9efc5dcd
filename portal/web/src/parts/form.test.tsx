import { MantineProvider, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { act } from 'react';
import { createRoot } from 'react-dom/client';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';

import { Problem } from '../api/problem';
import { bindTo, FormProblem } from './form';

let box: HTMLElement;

beforeAll(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
});
beforeEach(() => {
  box = document.body.appendChild(document.createElement('div'));
});
afterEach(() => box.remove());

function Form({ error }: { error: Problem }) {
  const form = useForm({ mode: 'uncontrolled', initialValues: { vendor: '' } });
  const bind = bindTo(form, error);
  return (
    <MantineProvider>
      <TextInput key={form.key('vendor')} label="Vendor ID" {...bind('vendor', 'vendor_id')} />
      <FormProblem error={error} shown={['vendor_id']} />
    </MantineProvider>
  );
}

function shown(...pointers: string[]): HTMLElement {
  const error = new Problem({ code: 'invalid_field', detail: 'the body has invalid fields', errors: pointers.map((pointer) => ({ pointer, detail: 'is no id' })) }, 422);
  act(() => createRoot(box).render(<Form error={error} />));
  return box;
}

test('what is wrong with a field stands at its input, and nowhere else', () => {
  expect(shown('/vendor_id').querySelector('input')?.getAttribute('aria-invalid')).toBe('true');
  expect(box.textContent).toContain('Is no id');
  expect(box.querySelector('[role=alert]')).toBeNull();
});

test('what no input can say is said below them', () => {
  expect(shown('/vendor_id', '/role').querySelector('[role=alert]')?.textContent).toContain('role');
});
