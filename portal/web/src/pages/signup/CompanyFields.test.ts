import { expect, test } from 'vitest';

import { idOf } from './CompanyFields';

test.each([
  ['mercedes.com', 'mercedes'],
  ['www.bmw.de', 'bmw'],
  ['acme.co.uk', 'acme'],
  ['Acme.COM.au', 'acme'],
  ['co.uk', 'co'],
  ['mercedes', ''],
  ['', ''],
])('the id of %s is %s', (domain, id) => expect(idOf(domain)).toBe(id));
