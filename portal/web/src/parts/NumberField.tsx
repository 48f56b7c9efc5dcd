import { Text, TextInput, type TextInputProps } from '@mantine/core';
import { useState } from 'react';

import { formatNumber, parseNumber, type NumberRule, type Typed } from '../numbers';

interface Props extends NumberRule, Pick<TextInputProps, 'label' | 'description' | 'required' | 'error'> {
  'data-autofocus'?: boolean;
  value: Typed;
  onChange: (value: Typed) => void;
  /** What is counted, at the end of the field. */
  unit?: string;
}

/**
 * A number as the reader writes it. What is none is kept as it was typed, with
 * what is wrong with it, and is NaN to the form.
 */
export function NumberField({ value, onChange, decimals, least, most, unit, error, ...rest }: Props) {
  const rule = { decimals, least, most };
  const [own, setOwn] = useState<{ typed: string; value: Typed }>({ typed: '', value: '' });
  const [left, setLeft] = useState(false); // nobody is told off while typing
  const shown = Object.is(own.value, value) ? own.typed : formatted(value, decimals);
  const read = parseNumber(shown, rule);
  // A form that hides a field forgets what was typed, but not that it was none.
  const wrong = read.wrong ?? (Number.isNaN(value) ? parseNumber('?', rule).wrong : undefined);
  const leave = (): void => {
    setLeft(true);
    if (read.wrong === undefined) setOwn({ typed: formatted(read.value, decimals), value: read.value });
  };
  return (
    <TextInput
      {...rest}
      className="num"
      inputMode={decimals === 0 ? 'numeric' : 'decimal'}
      autoComplete="off"
      value={shown}
      error={(left || shown === '' ? wrong : undefined) ?? error}
      {...(unit === undefined ? {} : { rightSection: <Text size="xs" c="dimmed">{unit}</Text>, rightSectionWidth: 48 })}
      onBlur={leave}
      onKeyDown={(e) => e.key === 'Enter' && setLeft(true)}
      onChange={(e) => {
        const typed = e.currentTarget.value;
        const now = parseNumber(typed, rule).value;
        setOwn({ typed, value: now });
        onChange(now);
      }}
    />
  );
}

function formatted(value: Typed, decimals: number): string {
  return value === '' || Number.isNaN(value) ? '' : formatNumber(value, decimals);
}
