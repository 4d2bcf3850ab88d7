import { describe, expect, it } from '@jest/globals';

import { createTestApp } from '../support/app/app.js';

const PATH = '/.well-known/oauth-protected-resource';
const MINIMAL =
  'contacts leads projects bids pay_apps change_orders site_logs time_entries products documents'
    .split(' ')
    .map((resource) => `${resource}:read`);

describe('protected resource metadata (RFC 9728)', () => {
  it.each([
    [PATH, 'https://auth.example.com'],
    [`${PATH}/api/v1`, 'https://auth.example.com/api/v1'],
  ])('GET %s describes %s', async (path, resource) => {
    const gatehouse = await createTestApp({
      ISSUER: 'https://auth.example.com',
      BRAND_NAME: 'Acme',
    });

    // URLs come from the issuer, whatever the request claims.
    const answer = await gatehouse.http
      .get(path)
      .set({ Host: 'evil.example', 'X-Forwarded-Host': 'evil.example' });

    await gatehouse.close();
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['cache-control']).toBe('public, max-age=300');
    expect(answer.body).toEqual({
      resource,
      authorization_servers: ['https://auth.example.com'],
      // Clients request all of it: reads only, and never `offline_access`.
      scopes_supported: MINIMAL,
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
      dpop_bound_access_tokens_required: false,
      resource_name: 'Acme API',
      resource_documentation: expect.stringMatching(/\/docs\/api$/),
    });
  });

  it('is the target of the API’s challenge (RFC 9728 §5.1)', async () => {
    const gatehouse = await createTestApp();
    const refused = await gatehouse.http.get('/api/v1/me');
    const url = /resource_metadata="([^"]+)"/.exec(refused.headers['www-authenticate'] ?? '')?.[1];

    const answer = await gatehouse.http.get(new URL(url ?? '').pathname);

    await gatehouse.close();
    expect(answer.status).toBe(200);
    expect(url).toBe(`http://localhost:3000${PATH}/api/v1`);
    expect(answer.body.resource).toBe('http://localhost:3000/api/v1');
  });
});
