import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { createTestApp, type TestKey } from '../../support/app/app.js';
import { createCredential } from '../../support/app/credentials.js';
import { sendRaw } from '../../support/app/raw-http.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

type Header = readonly [name: string, value: string];

describe('a credential is presented in exactly one way', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let key: TestKey;
  let other: TestKey;
  let publishable: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant);
    other = await gatehouse.createKey(tenant);
    publishable = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
  });

  /** Sends headers as they are, also twice. */
  const send = async (headers: readonly Header[], query = '', method = 'GET') => {
    const path = `/api/v1/me${query}`;
    const {
      status,
      text,
      headers: answered,
    } = await sendRaw(gatehouse.origin, {
      method,
      path,
      headers,
    });
    const body = text === '' ? {} : (JSON.parse(text) as { code?: string; data?: object });
    return { status, code: body.code, data: body.data, challenge: answered['www-authenticate'] };
  };
  const refusalsOf = async (reason: string, { id }: TestKey) => {
    await gatehouse.app.activity.flush();
    return gatehouse.database.query(
      `SELECT occurrences FROM audit_log WHERE action = 'credential.refused' AND subject = $1
         AND details ->> 'reason' = $2`,
      [id, reason],
    );
  };

  describe('accepted', () => {
    it.each<[string, (secret: string) => Header]>([
      ['Authorization: Bearer', (secret) => ['Authorization', `Bearer ${secret}`]],
      ['Authorization: bearer', (secret) => ['authorization', `bearer ${secret}`]],
      ['Authorization: BEARER', (secret) => ['AUTHORIZATION', `BEARER ${secret}`]],
      ['Authorization: Bearer, more blanks', (secret) => ['Authorization', `Bearer   ${secret}`]],
      ['Authorization: Token', (secret) => ['Authorization', `Token ${secret}`]],
      ['Authorization: tOKEN', (secret) => ['Authorization', `tOKEN ${secret}`]],
      ['X-API-Key', (secret) => ['X-API-Key', secret]],
      ['x-api-key', (secret) => ['x-api-key', secret]],
      ['X-Bwp-Api-Token', (secret) => ['X-Bwp-Api-Token', secret]],
      ['X-BWP-API-TOKEN', (secret) => ['X-BWP-API-TOKEN', secret]],
    ])('is %s', async (_what, header) => {
      const answer = await send([header(key.secret)]);

      expect(answer.status).toBe(200);
      expect(answer.data).toMatchObject({ keyId: key.id });
    });

    it('is ?auth_token= for publishable keys, on GET and HEAD', async () => {
      const query = `?auth_token=${publishable.secret}`;

      expect((await send([], query)).data).toMatchObject({ keyId: publishable.id });
      expect((await send([], query, 'HEAD')).status).toBe(200);
    });

    it("is the header of the configured brand, and not another's", async () => {
      const acme = await createTestApp({ TOKEN_BRAND: 'acme' });
      const { secret } = await acme.createKey(await acme.createTenant('acme'));

      await acme.http.get('/api/v1/me').set('X-Acme-Api-Token', secret).expect(200);
      await acme.http.get('/api/v1/me').set('X-Bwp-Api-Token', secret).expect(401);
      expect(secret).toMatch(/^acme_live_/);
      await acme.close();
    });
  });

  describe('400', () => {
    const bearer = (): Header => ['Authorization', `Bearer ${key.secret}`];
    it.each<[string, () => readonly Header[], string]>([
      ['Authorization and X-API-Key', () => [bearer(), ['X-API-Key', other.secret]], ''],
      ['the same one in two headers', () => [bearer(), ['X-API-Key', key.secret]], ''],
      [
        'Authorization and the brand header',
        () => [bearer(), ['X-Bwp-Api-Token', other.secret]],
        '',
      ],
      [
        'X-API-Key and the brand header',
        () => [
          ['X-API-Key', key.secret],
          ['X-Bwp-Api-Token', other.secret],
        ],
        '',
      ],
      ['Authorization twice', () => [bearer(), bearer()], ''],
      ['Authorization twice, the second one empty', () => [bearer(), ['Authorization', '']], ''],
      [
        'X-API-Key twice',
        () => [
          ['X-API-Key', key.secret],
          ['x-api-key', key.secret],
        ],
        '',
      ],
      [
        'the brand header twice',
        () => [
          ['X-Bwp-Api-Token', key.secret],
          ['X-Bwp-Api-Token', other.secret],
        ],
        '',
      ],
      [
        'Basic beside a key',
        () => [
          ['Authorization', 'Basic eDp5'],
          ['X-API-Key', key.secret],
        ],
        '',
      ],
      ['garbage beside a key', () => [bearer(), ['X-API-Key', 'garbage']], ''],
      ['a header and the query', () => [bearer()], `?auth_token=garbage`],
      ['a header and an empty query parameter', () => [bearer()], `?auth_token=`],
      ['the query twice', () => [], `?auth_token=a&auth_token=b`],
      ['a header and the query, percent-encoded', () => [bearer()], `?auth%5Ftoken=a`],
    ])('is for %s', async (_what, headers, query) => {
      expect(await send(headers(), query)).toMatchObject({ status: 400, code: 'bad_request' });
    });
  });

  describe('401', () => {
    it.each<[string, (secret: string) => Header]>([
      ['Basic', (secret) => ['Authorization', `Basic ${Buffer.from(secret).toString('base64')}`]],
      ['Basic, as it is', (secret) => ['Authorization', `Basic ${secret}`]],
      ['an unknown scheme', (secret) => ['Authorization', `Key ${secret}`]],
      ['no scheme', (secret) => ['Authorization', secret]],
      ['an empty Bearer', () => ['Authorization', 'Bearer']],
      ['a blank Bearer', () => ['Authorization', 'Bearer  ']],
      ['Bearer with two texts', (secret) => ['Authorization', `Bearer ${secret} ${secret}`]],
      ['Bearer with a comma', (secret) => ['Authorization', `Bearer ${secret}, x`]],
      ['a header of another brand', (secret) => ['X-Acme-Api-Token', secret]],
      ['a cookie', (secret) => ['Cookie', `auth_token=${secret}; session=${secret}`]],
      ['Proxy-Authorization', (secret) => ['Proxy-Authorization', `Bearer ${secret}`]],
    ])(
      'answers %s, which is not a presentation, without naming an error',
      async (_what, header) => {
        const answer = await send([header(key.secret)]);

        expect(answer).toMatchObject({ status: 401, code: 'unauthorized' });
        expect(answer.challenge).toMatch(/^Bearer realm="api"/);
        expect(answer.challenge).not.toContain('error=');
      },
    );

    it.each<[string, (secret: string) => Header]>([
      ['an empty X-API-Key', () => ['X-API-Key', '']],
      ['a quoted key', (secret) => ['X-API-Key', `"${secret}"`]],
      ['a scheme in X-API-Key', (secret) => ['X-API-Key', `Bearer ${secret}`]],
      ['two keys in one header', (secret) => ['X-API-Key', `${secret}, ${secret}`]],
      ['a key with the DPoP scheme', (secret) => ['Authorization', `DPoP ${secret}`]],
    ])('answers %s, which is not a valid credential', async (_what, header) => {
      const answer = await send([header(key.secret)]);

      expect(answer).toMatchObject({ status: 401, code: 'unauthorized' });
      expect(answer.challenge).toContain('error="invalid_token"');
    });

    it.each(['GET', 'HEAD', 'OPTIONS'])(
      'never takes a secret key from the URL (%s)',
      async (method) => {
        const answer = await send([], `?auth_token=${key.secret}`, method);

        // OPTIONS never needs a credential: it says which methods there are.
        expect(answer.status).toBe(method === 'OPTIONS' ? 204 : 401);
        expect(answer.data).toBeUndefined();
      },
    );

    it('notes a secret key in a URL as exposed', async () => {
      const exposed = await gatehouse.createKey(tenant);
      await send([], `?auth_token=${exposed.secret}`);

      expect(await refusalsOf('exposed', exposed)).toEqual([{ occurrences: 1 }]);
    });

    it('notes it also when the key is refused for another reason', async () => {
      const revoked = await gatehouse.createKey(tenant);
      await gatehouse.http.delete(`/api/v1/api-keys/${revoked.id}`).set(key.bearer).expect(204);

      expect(await send([], `?auth_token=${revoked.secret}`)).toMatchObject({
        status: 401,
        code: 'unauthorized',
      });
      expect(await refusalsOf('exposed', revoked)).toEqual([{ occurrences: 1 }]);
    });

    it('is 401 also for an exposed key of a suspended tenant', async () => {
      const suspended = await gatehouse.createTenant('suspended');
      const exposed = await gatehouse.createKey(suspended);
      await gatehouse.database.query('UPDATE tenants SET suspended_at = now() WHERE id = $1', [
        suspended.id,
      ]);

      expect((await send([], `?auth_token=${exposed.secret}`)).status).toBe(401);
    });

    it('takes publishable keys from the URL for reading only', async () => {
      const path = `/api/v1/contacts?auth_token=${publishable.secret}`;
      const { status } = await sendRaw(gatehouse.origin, { method: 'POST', path });

      expect(status).toBe(401);
    });

    it('notes a presentation that does not fit the kind', async () => {
      const fresh = await gatehouse.createKey(tenant);
      await send([['Authorization', `DPoP ${fresh.secret}`]]);

      expect(await refusalsOf('presentation_not_allowed', fresh)).toEqual([{ occurrences: 1 }]);
    });
  });
});
