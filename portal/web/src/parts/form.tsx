import type { GetInputPropsReturnType } from '@mantine/form';

import type { Problem } from '../api/problem';
import { ProblemAlert } from './ProblemAlert';

/** How a field of the form is bound, with what the API says of it. */
export type Bind = (path: string, pointer?: string) => GetInputPropsReturnType;

/**
 * Binds fields to a form. The pointer is the field's in the request's body,
 * where that differs from its path in the form.
 */
export function bindTo(form: { getInputProps: (path: string) => GetInputPropsReturnType }, error: Problem | null): Bind {
  return (path, pointer = path.replaceAll('.', '/')) => {
    const props = form.getInputProps(path);
    return { ...props, error: props.error ?? error?.field(pointer) };
  };
}

/** The refusal of a form, unless its inputs say it all: `shown` are the pointers that have one. */
export function FormProblem({ error, shown }: { error: Problem | null; shown: readonly string[] }) {
  if (error === null) return null;
  const fields = [...error.fields.keys()];
  return fields.length > 0 && fields.every((f) => shown.includes(f)) ? null : <ProblemAlert error={error} />;
}
