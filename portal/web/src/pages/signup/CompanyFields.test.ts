import { expect, test } from 'vitest';

import { domainOf, idOf } from './CompanyFields';

test.each([
  ['mercedes.com', 'mercedes'],
  ['www.bmw.de', 'bmw'],
  ['acme.co.uk', 'acme'],
  ['Acme.COM.au', 'acme'],
  ['co.uk', 'co'],
  ['https://www.mercedes.com/', 'mercedes'],
  ['mercedes', ''],
  ['', ''],
])('the id of %s is %s', (domain, id) => expect(idOf(domain)).toBe(id));

test.each([
  ['https://www.Mercedes.com/', 'mercedes.com'],
  [' http://acme.co.uk ', 'acme.co.uk'],
  ['www.bmw.de', 'bmw.de'],
  ['wwwhat.com', 'wwwhat.com'],
  ['mercedes.com', 'mercedes.com'],
])('the domain of %s is %s', (typed, domain) => expect(domainOf(typed)).toBe(domain));
