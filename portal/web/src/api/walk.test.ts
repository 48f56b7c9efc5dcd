import { expect, test } from 'vitest';

import { walk } from './walk';

test('a list is read until enough is found, and says whether there is more', async () => {
  const pages: Record<string, { items: number[]; next_cursor: string | null }> = { '': { items: [1, 2], next_cursor: 'a' }, a: { items: [3, 4], next_cursor: 'b' }, b: { items: [5], next_cursor: null } };
  const read = (cursor: string) => Promise.resolve({ data: pages[cursor] ?? { items: [], next_cursor: null }, response: new Response() });
  expect(await walk(read, { enough: 100 })).toEqual({ items: [1, 2, 3, 4, 5], more: false });
  expect(await walk(read, { keep: (n) => n % 2 === 0, enough: 2 })).toEqual({ items: [2, 4], more: true });
});
