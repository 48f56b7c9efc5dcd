import { formatSentence } from '../format';
import { text } from '../text/en';
import type { Schemas } from './client';

/** A problem of the API, or one with a code of the portal's own. */
type Refusal = Partial<Omit<Schemas['Problem'], 'code'>> & { code?: string };

/** What the API refused, or why it could not be asked (RFC 9457). */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly requestId: string;
  readonly retryable: boolean;
  readonly retryAfterSeconds: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly limits: Schemas['Problem']['limits'];

  constructor(from: Refusal, status: number, retryAfterSeconds = 0) {
    super(formatSentence(from.detail ?? text.problem.noDetail(status)));
    this.name = 'Problem';
    this.code = from.code ?? 'internal';
    this.status = status;
    this.title = from.title ?? text.problem.title;
    this.requestId = from.request_id ?? '';
    this.retryable = from.retryable ?? false;
    this.retryAfterSeconds = retryAfterSeconds;
    this.limits = from.limits;
    this.fields = new Map(
      (from.errors ?? []).map((e) => [('pointer' in e && e.pointer ? e.pointer : '/').slice(1), formatSentence(e.detail)] as const),
    );
  }

  /** What is wrong with a field, by its JSON pointer without the first slash. */
  field(pointer: string): string | undefined {
    return this.fields.get(pointer);
  }

  /** The server broke, or its answer was lost: a write may have happened. */
  get unsettled(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** No answer came. A read may be tried again; whether a write happened is not known. */
export function unreachable(method: string): Problem {
  const read = method === 'GET';
  return new Problem(
    { code: 'unreachable', title: text.problem.offlineTitle, detail: read ? text.problem.offline : text.problem.answerLost, retryable: read },
    0,
  );
}

/** What openapi-fetch answers with. */
export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Returns the data of a reply, or throws its problem. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (error) {
    if (isProblem(error) || (error instanceof DOMException && error.name === 'AbortError')) {
      throw error;
    }
    throw unreachable('GET');
  }
  const { data, error, response } = answer;
  if (!response.ok) {
    throw toProblem(error, response);
  }
  return data as T; // 204 has none, and its T is undefined
}

export function toProblem(body: unknown, response: Response): Problem {
  const known: Refusal = typeof body === 'object' && body !== null ? body : {};
  const requestId = response.headers.get('X-Request-Id');
  const wait = Number(response.headers.get('Retry-After') ?? 0); // the API gives seconds, a proxy may give a date
  return new Problem({ ...(requestId === null ? {} : { request_id: requestId }), ...known }, response.status, Number.isFinite(wait) ? wait : 0);
}

export function isProblem(error: unknown, code?: string): error is Problem {
  return error instanceof Problem && (code === undefined || error.code === code);
}
