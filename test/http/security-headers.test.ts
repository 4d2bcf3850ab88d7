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
});
