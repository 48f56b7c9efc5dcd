import { expect, test } from 'vitest';

import { nextPath } from './guards';

test.each([
  ['/users?status=active#top', '/users?status=active#top'],
  [null, '/'],
  ['', '/'],
  ['users', '/'],
  ['https://evil.example/', '/'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['/\t/evil.example', '/'],
  ['/\n\\evil.example', '/'],
  ['//', '/'],
])('the log-in leads from %j to %s', (next, path) => expect(nextPath(next)).toBe(path));
