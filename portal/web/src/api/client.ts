import createClient, { type Middleware } from 'openapi-fetch';

import { site } from '../site';
import { unreachable } from './problem';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

/** For how long reads ask for the last write: by then every replica has it. */
const ownWriteMillis = 30_000;

let lastWrite = { index: '', at: 0 };

/** Says what a read must include so that people see what they just changed. */
export function minIndex(now = Date.now()): string | undefined {
  return lastWrite.index !== '' && now - lastWrite.at < ownWriteMillis ? lastWrite.index : undefined;
}

const ownWrites: Middleware = {
  onRequest({ request }) {
    const index = minIndex();
    if (request.method === 'GET' && index !== undefined) {
      request.headers.set('X-Min-Index', index);
    }
    return request;
  },
  onResponse({ request, response }) {
    const index = response.headers.get('X-Applied-Index');
    if (request.method !== 'GET' && index !== null) {
      lastWrite = { index, at: Date.now() };
    }
    return response;
  },
};

const tokenKey = 'cloudlicenses.operator';

/** The operator's token, on the admin address alone; it ends with the tab. */
export const operatorToken = {
  get: (): string | null => (site.name === 'admin' ? sessionStorage.getItem(tokenKey) : null),
  set: (token: string): void => sessionStorage.setItem(tokenKey, token),
  clear: (): void => sessionStorage.removeItem(tokenKey),
};

const operator: Middleware = {
  onRequest({ request }) {
    const token = operatorToken.get();
    // The log-in brings the token that it checks.
    if (token !== null && !request.headers.has('Authorization')) {
      request.headers.set('Authorization', `Bearer ${token}`);
    }
    return request;
  },
};

const lost: Middleware = {
  onError({ request, error }) {
    return error instanceof DOMException && error.name === 'AbortError' ? undefined : unreachable(request.method);
  },
};

/** The public API, as api/openapi.yaml describes it. */
export const api = createClient<paths>({ baseUrl: window.location.origin });
api.use(ownWrites, operator, lost);
