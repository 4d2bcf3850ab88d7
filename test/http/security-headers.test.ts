import { describe, expect, it } from '@jest/globals';

import { createTestApp } from '../support/app/app.js';

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'x-request-id': expect.stringMatching(/^req_/),
};
const PATHS = ['/api/v1/scopes', '/api/v1/me', '/healthz', '/nowhere'];

describe('the headers of every answer', () => {
  it('forbid storing and content sniffing, on errors too', async () => {
    const gatehouse = await createTestApp();
    for (const path of PATHS) {
      const { headers } = await gatehouse.http.get(path);
      expect(headers).toMatchObject({ ...ALWAYS, 'cache-control': 'no-store' });
      // Over http, browsers would ignore it.
      expect(headers).not.toHaveProperty('strict-transport-security');
      for (const name of ['x-powered-by', 'server', 'set-cookie', 'etag']) {
        expect(headers).not.toHaveProperty(name);
      }
    }
    await gatehouse.close();
  });

  it('require https from browsers where the issuer has it (RFC 6797)', async () => {
    const gatehouse = await createTestApp({ ISSUER: 'https://auth.example.com' });
    for (const path of PATHS) {
      const { headers } = await gatehouse.http.get(path);
      expect(headers['strict-transport-security']).toMatch(/^max-age=\d{8}; includeSubDomains$/);
    }
    await gatehouse.close();
  });

  it('are the same, each once, for GET, sent past Koa, and for HEAD', async () => {
    const gatehouse = await createTestApp({
      RATE_LIMIT_TENANT_PER_HOUR: '1000',
      RATE_LIMIT_KEY_PER_MINUTE: '100',
    });
    const tenant = await gatehouse.createTenant('acme');
    const name = 'Schlüssel \u{1f511} “one”';
    const key = await gatehouse.createKey(tenant, { name });
    const namesOf = async (method: string, path: string) => {
      const url = gatehouse.origin + path;
      const answer = await fetch(url, { method, headers: key.bearer });
      const text = await answer.text();
      if (method === 'GET') {
        expect(Buffer.byteLength(text)).toBe(Number(answer.headers.get('Content-Length')));
      }
      if (path.endsWith('/me') && method === 'GET') {
        expect(JSON.parse(text)).toMatchObject({ data: { keyName: name } });
      }
      // The client closes the connection after HEAD.
      return [...answer.headers.keys()].filter((header) => header !== 'keep-alive');
    };

    for (const path of ['/api/v1/me', '/api/v1/spaces', '/api/v1/usage']) {
      const plain = await namesOf('GET', path);
      expect(plain).toEqual([
        'cache-control',
        'connection',
        'content-length',
        'content-type',
        'date',
        'ratelimit-key-limit',
        'ratelimit-key-remaining',
        'ratelimit-key-reset',
        'ratelimit-tenant-limit',
        'ratelimit-tenant-remaining',
        'ratelimit-tenant-reset',
        'x-content-type-options',
        'x-request-id',
      ]);
      expect(await namesOf('HEAD', path)).toEqual(plain);
    }
    await gatehouse.close();
  });
});
