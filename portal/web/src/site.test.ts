import { expect, test } from 'vitest';

import { nextPath } from './app/guards';
import { readSite } from './site';

test('the server says which site it is; without it the host does', () => {
  expect(readSite({ site: 'tenant', tenant: 'bmw', domain: 'x.com' }, 'bmw.x.com')).toEqual({ name: 'tenant', tenant: 'bmw', domain: 'x.com' });
  expect(readSite({}, 'localhost').name).toBe('apex');
  expect(readSite({}, 'vendors.localhost').name).toBe('vendors');
  expect(readSite({}, 'mercedes.localhost')).toEqual({ name: 'tenant', tenant: 'mercedes', domain: 'localhost' });
  expect(readSite({}, '127.0.0.1').name).toBe('admin');
});

test('after the log-in one goes to a path of this host alone', () => {
  expect(nextPath('/users?role=admin')).toBe('/users?role=admin');
  for (const bad of [null, '', 'https://evil.example', '//evil.example', '/\\evil.example']) expect(nextPath(bad)).toBe('/');
});
