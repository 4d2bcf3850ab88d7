import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Test } from 'supertest';

import { newProduct } from '../../src/resources/products/product-schema.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectInvalid } from '../support/app/problems.js';
import { createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const REFUSED: readonly (readonly [string, string])[] = [
  ['NUL', 'a\0b'],
  ['a terminal sequence', 'a\u001b]0;owned\u0007b'],
  ['a newline', 'a\nb'],
  ['a newline at its end', 'a\n'],
  ['a carriage return', 'a\rb'],
  ['a tab', 'a\tb'],
  ['DEL', 'a\u007fb'],
  ['a C1 control character', 'a\u009bb'],
  ['NEL', 'a\u0085b'],
  ['a line separator', 'a\u2028b'],
  ['a right-to-left override', 'a\u202eb'],
  ['a left-to-right embedding', 'a\u202ab'],
  ['an isolate', 'a\u2066b'],
  ['the end of an isolate', 'a\u2069b'],
  ['a left-to-right mark', 'a\u200eb'],
  ['a right-to-left mark', 'a\u200fb'],
  ['an Arabic letter mark', 'a\u061cb'],
  ['a lone surrogate', 'a\udc00b'],
];
const TAKEN = ['Müller & Söhne', 'مفتاح الإنتاج', '鍵', '👩‍👩‍👧 family', "O'Brien <script>", '-'];

describe('names', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  let spaces = 0;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });

  const send = (method: 'post' | 'patch', path: string, body: object) =>
    gatehouse.http[method](`/api/v1${path}`).set(admin.bearer).send(body);

  /** Each place where a name is given, by what is sent there. */
  const places: readonly (readonly [string, string, (name: string) => Test])[] = [
    ['a new key', 'name', (name) => send('post', '/api-keys', { name, scopes: ['leads:read'] })],
    ['a key', 'name', (name) => send('patch', `/api-keys/${key.id}`, { name })],
    ['a new space', 'name', (name) => send('post', '/spaces', { name })],
    ['a space', 'name', (name) => send('patch', `/spaces/${space}`, { name })],
    ...(['firstName', 'lastName', 'companyName', 'phone'] as const).map(
      (member) =>
        [
          `a contact's ${member}`,
          member,
          (name: string) => send('post', '/contacts', { type: 'other', [member]: name }),
        ] as const,
    ),
  ];
  let key: TestKey;
  let space: string;
  beforeAll(async () => {
    key = await gatehouse.createKey(tenant, { scopes: ['leads:read'] });
    space = await createSpace(gatehouse, tenant, 'Yard');
  });

  describe.each(places)('the name of %s', (_what, member, give) => {
    it.each(REFUSED)('are refused with %s in them', async (_character, name) => {
      const answer = await give(name);

      expectInvalid(answer, [member]);
      expect(answer.body.errors[0]).toMatchObject({
        code: 'invalid_format',
      });
    });

    it.each(TAKEN)('are taken in any script: %s', async (name) => {
      spaces += 1;
      const answer = await give(`${name} ${spaces}`);

      expect([200, 201]).toContain(answer.status);
    });
  });

  it('refuses them in names of products, and keeps lines in descriptions', () => {
    const product = { name: 'Nail', sku: 'N', description: 'One\nTwo' };
    expect(newProduct.safeParse(product).success).toBe(true);
    expect(newProduct.safeParse({ ...product, name: 'N\nail' }).success).toBe(false);
    expect(newProduct.safeParse({ ...product, description: 'a\u001b[2J' }).success).toBe(false);
  });
});
