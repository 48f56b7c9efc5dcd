import { expect, test } from 'vitest';

import { EventParser } from './stream';

test('events are cut out of chunks that end anywhere', () => {
  const whole = 'retry: 1000\nid: 17-41\nevent: ready\ndata: {}\n\n: here\n\nevent: pool.changed\ndata: {"a":1}\n\n';
  for (let cut = 0; cut <= whole.length; cut++) {
    const parser = new EventParser();
    const events = [...parser.push(whole.slice(0, cut)), ...parser.push(whole.slice(cut))];
    expect(events).toEqual([
      { id: '17-41', type: 'ready', data: '{}' },
      { id: '', type: 'pool.changed', data: '{"a":1}' },
    ]);
    expect(parser.retryMillis).toBe(1000);
  }
});
