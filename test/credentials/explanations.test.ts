import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

type Headers = Readonly<Record<string, string>>;

const HOW = 'write "Authorization: Bearer <credential>"';
/** Another character of the alphabet in the middle. */
const mistyped = (secret: string) =>
  secret.slice(0, 20) + (secret[20] === 'x' ? 'y' : 'x') + secret.slice(21);

describe('a refusal', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
  });

  const me = async (headers: Headers) => {
    const answer = await gatehouse.http.get('/api/v1/me').set(headers);
    expectProblem(answer, 401, 'unauthorized');
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="api"/);
    return answer;
  };

  it.each<[string, (secret: string) => Headers, string]>([
    [
      'nothing',
      () => ({}),
      `No credential was sent: ${HOW}, or send a key in the header X-API-Key.`,
    ],
    [
      'an empty header',
      () => ({ Authorization: '' }),
      `The Authorization header is empty: ${HOW}.`,
    ],
    [
      'a credential without a scheme',
      (secret) => ({ Authorization: secret }),
      `The Authorization header has no scheme: ${HOW}.`,
    ],
    [
      'a scheme without a credential',
      () => ({ Authorization: 'bearer' }),
      `The Authorization header has the scheme Bearer without a credential: ${HOW}.`,
    ],
    [
      'a scheme and a blank',
      () => ({ Authorization: 'Bearer ' }),
      `The Authorization header has the scheme Bearer without a credential: ${HOW}.`,
    ],
    [
      'Basic',
      (secret) => ({ Authorization: `Basic ${Buffer.from(`${secret}:`).toString('base64')}` }),
      `The Authorization header has the scheme Basic that is not accepted here: ${HOW}.`,
    ],
    [
      'a scheme that nobody knows',
      (secret) => ({ Authorization: `${secret} ${secret}` }),
      `The Authorization header has a scheme that is not accepted here: ${HOW}.`,
    ],
    [
      'two words after the scheme',
      (secret) => ({ Authorization: `Bearer ${secret} ${secret}` }),
      `The Authorization header has more than one word after the scheme Bearer: ${HOW}.`,
    ],
    [
      'a scheme twice',
      (secret) => ({ Authorization: `Bearer Bearer ${secret}` }),
      `The Authorization header has more than one word after the scheme Bearer: ${HOW}.`,
    ],
    [
      'an empty X-API-Key',
      () => ({ 'X-API-Key': '' }),
      'The X-API-Key header is empty: it takes a credential.',
    ],
    [
      "an empty header of the product's own",
      () => ({ 'X-Bwp-Api-Token': '' }),
      'The X-Bwp-Api-Token header is empty: it takes a credential.',
    ],
    [
      'a scheme in X-API-Key',
      (secret) => ({ 'X-API-Key': `Bearer ${secret}` }),
      'The X-API-Key header holds a scheme: it takes the credential alone.',
    ],
    [
      'a blank within',
      (secret) => ({ 'X-API-Key': `${secret.slice(0, 20)} ${secret.slice(20)}` }),
      'The credential in the X-API-Key header has a space in it, which no credential has.',
    ],
    [
      'quotes',
      (secret) => ({ 'X-API-Key': `"${secret}"` }),
      'The credential in the X-API-Key header is in quotes or brackets: send it without.',
    ],
    [
      'another character',
      (secret) => ({ Authorization: `Bearer ${mistyped(secret)}` }),
      'The credential in the Authorization header is cut off or mistyped: its checksum does not match.',
    ],
    [
      'one character less',
      (secret) => ({ Authorization: `Token ${secret.slice(0, -1)}` }),
      'The credential in the Authorization header is cut off or mistyped: its length or alphabet is wrong.',
    ],
    [
      'one character more',
      (secret) => ({ 'X-Bwp-Api-Token': `${secret}x` }),
      'The credential in the X-Bwp-Api-Token header is cut off or mistyped: its length or alphabet is wrong.',
    ],
    [
      'a masked key',
      () => ({ 'X-API-Key': 'bwp_live_...abcd' }),
      'The credential in the X-API-Key header is cut off or mistyped: its length or alphabet is wrong.',
    ],
    [
      'a kind that does not exist',
      () => ({ 'X-API-Key': 'bwp_prod_123' }),
      'The credential in the X-API-Key header is cut off or mistyped: it is of no kind that is known here.',
    ],
    [
      'another brand',
      () => ({ 'X-API-Key': 'sk_live_123' }),
      'The credential in the X-API-Key header is not one of this service: those start with bwp_.',
    ],
    [
      'a JWT',
      () => ({ Authorization: 'Bearer eyJhbGciOiJFUzI1NiJ9.e30.x' }),
      'The credential in the Authorization header is a JWT, such as an id_token. Send the access token or a key.',
    ],
  ])('of %s says which header was read and what it lacks', async (_what, headersOf, detail) => {
    const answer = await me(headersOf(key.secret));

    expect(answer.body.detail).toBe(detail);
    expect(answer.text).not.toContain(key.secret.slice(9, 30));
  });

  it.each([
    ['rt', 'a refresh token'],
    ['ac', 'an authorization code'],
    ['cs', 'a client secret'],
    ['rat', 'a registration token'],
    ['op', 'an operator key'],
  ])('names what it was taken for: bwp_%s_ is %s', async (prefix, name) => {
    const answer = await me({ Authorization: `Bearer ${gatehouse.format.mint(prefix)}` });

    expect(answer.body.detail).toContain(`is written like ${name}`);
  });

  it('is the same for keys that were never issued, revoked or used elsewhere', async () => {
    const [revoked, elsewhere] = [
      await gatehouse.createKey(tenant, { name: 'Revoked' }),
      await gatehouse.createKey(tenant, { allowedIps: ['192.0.2.1'] }),
    ];
    const admin = await gatehouse.createKey(tenant);
    await gatehouse.http.delete(`/api/v1/api-keys/${revoked.id}`).set(admin.bearer).expect(204);
    const details = [];
    for (const secret of [gatehouse.format.mint('live'), revoked.secret, elsewhere.secret]) {
      details.push((await me({ 'X-API-Key': secret })).body.detail);
    }

    expect(new Set(details)).toEqual(new Set(['The credential is not valid.']));
  });

  it('states only that a credential must not be in a URL', async () => {
    for (const secret of [key.secret, mistyped(key.secret), 'nonsense', '']) {
      const answer = await gatehouse.http.get(`/api/v1/me?auth_token=${secret}`);
      expectProblem(answer, 401, 'unauthorized');
      expect(answer.body.detail).toBe(
        'The credential is not valid here. Only publishable keys may be in a URL.',
      );
    }
  });

  describe('for want of a scope', () => {
    it('names it in the detail and in required_scopes', async () => {
      const answer = await gatehouse.http.delete('/api/v1/contacts/1').set(key.bearer);

      expectProblem(answer, 403, 'scope_insufficient');
      expect(answer.body.title).toBe('Insufficient scope');
      expect(answer.body.detail).toBe('The credential lacks the scope contacts:delete.');
      expect(answer.body.required_scopes).toEqual(['contacts:delete']);
      expect(answer.headers['www-authenticate']).toContain('scope="contacts:delete"');
    });

    it('does so everywhere', async () => {
      const nobody = await gatehouse.createKey(tenant, { scopes: ['jobs:read'] });
      const { http, app } = gatehouse;
      for (const { method, path, access } of app.apiRoutes) {
        if (method !== 'GET' || access === 'public' || !access?.scopes.length) continue;
        const answer = await http.get(`/api/v1${path.replace(':id', '1')}`).set(nobody.bearer);

        expect({ path, scopes: answer.body.required_scopes }).toEqual({
          path,
          scopes: access.scopes,
        });
        for (const scope of access.scopes) expect(answer.body.detail).toContain(scope);
      }
    });

    it('does so for a publishable key in a URL too', async () => {
      const publishable = await createCredential(gatehouse, tenant, 'publishable', [
        'documents:read',
      ]);
      const answer = await gatehouse.http.get(`/api/v1/products?auth_token=${publishable.secret}`);

      expectProblem(answer, 403, 'scope_insufficient');
      expect(answer.body.required_scopes).toEqual(['products:read']);
    });
  });

  it('has required_scopes only for a missing scope', async () => {
    expect((await me({})).body).not.toHaveProperty('required_scopes');
  });
});
