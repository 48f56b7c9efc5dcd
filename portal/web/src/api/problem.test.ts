import { expect, test } from 'vitest';

import { api } from './client';
import { retryWhereItHelps } from './hooks';
import { isProblem, Problem, toProblem, unwrap } from './problem';

const id = '01a21818-20be-7005-907d-c13113183f26';

async function refused(call: Promise<{ error?: unknown; response: Response }>): Promise<Problem> {
  const error: unknown = await unwrap(call).catch((e: unknown) => e);
  if (!isProblem(error)) throw new Error('no problem was thrown');
  return error;
}

test('a refusal is a problem, with the fields that it names', async () => {
  const error = {
    type: 'https://x/problems/invalid_field', title: 'Invalid field', status: 422, detail: 'the body has invalid fields', code: 'invalid_field', request_id: id, retryable: false,
    errors: [{ pointer: '/tenant/id', detail: 'is taken' }],
  };
  const problem = await refused(Promise.resolve({ error, response: new Response(null, { status: 422 }) }));
  expect(problem).toMatchObject({ code: 'invalid_field', status: 422, requestId: id, message: 'The body has invalid fields' });
  expect(problem.field('tenant/id')).toBe('Is taken');
  expect(problem.field('tenant')).toBeUndefined();
});

test('what is no problem keeps the id of its request, and a lost connection may be tried again', async () => {
  const broken = await refused(Promise.resolve({ error: '<html>', response: new Response(null, { status: 502, headers: { 'X-Request-Id': id } }) }));
  expect(broken).toMatchObject({ status: 502, requestId: id, retryable: false });
  const offline = await refused(Promise.reject(new TypeError('Failed to fetch')));
  expect(offline).toMatchObject({ status: 0, retryable: true });
});

test('only what may help is tried again, three times, and never a locked log-in', () => {
  const busy = new Problem({ code: 'overloaded', retryable: true }, 503);
  expect([0, 1, 2, 3].map((n) => retryWhereItHelps(n, busy))).toEqual([true, true, true, false]);
  expect(retryWhereItHelps(0, new Problem({ code: 'login_locked', retryable: true }, 429))).toBe(false);
  expect(retryWhereItHelps(0, new Problem({ code: 'not_found', retryable: false }, 404))).toBe(false);
  expect(retryWhereItHelps(0, new TypeError('a bug'))).toBe(false);
  const limited = [2, 60].map((seconds) => new Problem({ code: 'rate_limited', retryable: true }, 429, seconds));
  expect(limited.map((problem) => retryWhereItHelps(0, problem))).toEqual([true, false]);
});

const fetch = (): Promise<Response> => Promise.reject(new TypeError('Failed to fetch'));

test('a lost answer says of a read what it says of no write: that it may be tried again', async () => {
  expect(await refused(api.GET('/api/v1/me', { fetch }))).toMatchObject({ code: 'unreachable', retryable: true });
  const write = await refused(api.POST('/api/v1/logout', { fetch }));
  expect(write).toMatchObject({ code: 'unreachable', retryable: false, unsettled: true });
  expect(write.message).toContain('It may have happened');
});

test('a date to wait for is no number of seconds', () => {
  const response = new Response(null, { status: 503, headers: { 'Retry-After': 'Thu, 26 Nov 2026 14:00:00 GMT' } });
  expect(toProblem(undefined, response).retryAfterSeconds).toBe(0);
});
