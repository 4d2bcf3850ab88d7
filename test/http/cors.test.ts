import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';

import { useGatehouse } from '../support/app/use-gatehouse.js';
import type { TestApp, TestKey } from '../support/app/app.js';

const LISTED = 'https://app.example.com';
const STRANGER = 'https://evil.example';
const DOCUMENTS = [
  '/.well-known/oauth-protected-resource',
  '/.well-known/oauth-protected-resource/api/v1',
  '/docs/errors',
];
const EXPOSED = [
  'WWW-Authenticate',
  'Retry-After',
  'DPoP-Nonce',
  'X-Request-Id',
  'RateLimit-Tenant-Limit',
  'RateLimit-Tenant-Remaining',
  'RateLimit-Tenant-Reset',
  'RateLimit-Key-Limit',
  'RateLimit-Key-Remaining',
  'RateLimit-Key-Reset',
];
const HEADERS = ['Authorization', 'Content-Type', 'DPoP', 'MCP-Protocol-Version'];

const corsOf = ({ headers }: Response) =>
  Object.fromEntries(
    Object.entries(headers as Record<string, string>).filter(([name]) =>
      name.startsWith('access-control-'),
    ),
  );
const itemsOf = (list: string | undefined) => list?.split(', ').toSorted();

describe('CORS', () => {
  const closed = useGatehouse();
  const gatehouse = useGatehouse({
    CORS_ALLOWED_ORIGINS: `${LISTED}, https://other.example:8443`,
  });
  let key: TestKey;
  beforeAll(async () => {
    key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
  });

  const preflight = (app: TestApp, path: string, origin: string, headers = 'authorization') =>
    app.http.options(path).set({
      Origin: origin,
      'Access-Control-Request-Method': 'GET',
      'Access-Control-Request-Headers': headers,
    });
  const get = (app: TestApp, path: string, origin: string) =>
    app.http.get(path).set({ Origin: origin });

  describe('for the documents', () => {
    it.each(DOCUMENTS)('lets any origin read %s', async (path) => {
      for (const app of [closed, gatehouse]) {
        const answer = await get(app, path, STRANGER);
        expect(answer.status).toBe(200);
        const { 'access-control-expose-headers': exposed, ...rest } = corsOf(answer);
        expect(rest).toEqual({ 'access-control-allow-origin': '*' });
        expect(itemsOf(exposed)).toEqual(EXPOSED.toSorted());
      }
    });

    it.each(DOCUMENTS)('lets any origin ask beforehand about %s', async (path) => {
      const answer = await preflight(closed, path, STRANGER);

      expect(answer.status).toBe(204);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(itemsOf(answer.headers['access-control-allow-headers'])).toEqual(HEADERS.toSorted());
      expect(itemsOf(answer.headers['access-control-allow-methods'])).toContain('GET');
    });

    it.each([
      '/.well-known/oauth-protected-resource/',
      '/.well-known/OAUTH-protected-resource',
      '/.Well-Known/oauth-protected-resource/api/v1',
      '/.well-known/oauth-protected-resource/api/v1/',
      '/.well-known/oauth-protected-resource/api/V1',
    ])('opens nothing else, such as %s', async (path) => {
      expect(corsOf(await preflight(gatehouse, path, STRANGER))).toEqual({});
      expect(corsOf(await get(gatehouse, path, STRANGER))).toEqual({});
    });
  });

  describe('for everything else', () => {
    it.each([
      '/api/v1/me',
      '/api/v1/me/',
      '/API/v1/me',
      '/api/v1/ME',
      '/api/v1/contacts',
      '/api/v1/api-keys',
      '/api/v1/verify',
      '/api/v1/verify/changes',
      '/api/v1/operator/tenants',
      '/api/v1/scopes',
      '/api/v1/unknown',
      '/healthz',
      '/readyz',
      '/',
    ])('gives strangers nothing at all on %s', async (path) => {
      for (const app of [closed, gatehouse]) {
        expect(corsOf(await preflight(app, path, STRANGER))).toEqual({});
        expect(corsOf(await get(app, path, STRANGER))).toEqual({});
      }
    });

    it('opens nothing to origins that resemble a listed one', async () => {
      for (const origin of [
        'null',
        'http://app.example.com',
        `${LISTED}:8443`,
        `${LISTED}.evil.example`,
        'https://APP.example.com',
        'https://evil-app.example.com',
        `${LISTED}/`,
        '*',
        '',
      ]) {
        expect(corsOf(await preflight(gatehouse, '/api/v1/me', origin))).toEqual({});
      }
    });

    it('opens nothing to a listed origin outside of the API', async () => {
      for (const path of ['/healthz', '/', '/API/v1/me', '/login', '/settings/api-keys']) {
        expect(corsOf(await preflight(gatehouse, path, LISTED))).toEqual({});
      }
    });

    it.each([
      '/api/v1/verify',
      '/api/v1/verify/changes',
      '/api/v1/forward-auth/contacts',
      '/api/v1/operator/tenants',
      '/api/v1/operator/tenants/tnt_x',
      '/api/v1/oauth/introspect',
      '/api/v1/oauth/authorize',
    ])('opens nothing to a listed origin on the endpoints of servers, such as %s', async (path) => {
      expect(corsOf(await preflight(gatehouse, path, LISTED))).toEqual({});
      expect(corsOf(await get(gatehouse, path, LISTED))).toEqual({});
    });
  });

  describe('for CORS_ALLOWED_ORIGINS', () => {
    it('answers the preflight with the headers of keys', async () => {
      const answer = await preflight(gatehouse, '/api/v1/contacts', LISTED, 'x-api-key');

      expect(answer.status).toBe(204);
      expect(answer.headers['access-control-allow-origin']).toBe(LISTED);
      expect(itemsOf(answer.headers['access-control-allow-headers'])).toEqual(
        [...HEADERS, 'X-API-Key', 'X-Bwp-Api-Token', 'Idempotency-Key'].toSorted(),
      );
      expect(itemsOf(answer.headers['access-control-allow-methods'])).toEqual(
        expect.arrayContaining(['DELETE', 'GET', 'PATCH', 'POST']),
      );
      expect(answer.headers['vary']).toContain('Origin');
    });

    it('lets the listed origin read answers, errors too', async () => {
      const good = await get(gatehouse, '/api/v1/me', LISTED).set(key.bearer);
      const bad = await get(gatehouse, '/api/v1/me', 'https://other.example:8443');

      expect([good.status, bad.status]).toEqual([200, 401]);
      expect(good.headers['access-control-allow-origin']).toBe(LISTED);
      expect(bad.headers['access-control-allow-origin']).toBe('https://other.example:8443');
      for (const { headers } of [good, bad]) {
        expect(itemsOf(headers['access-control-expose-headers'])).toEqual(EXPOSED.toSorted());
        expect(headers['vary']).toContain('Origin');
      }
    });

    it('varies by origin for caches also for an unlisted origin', async () => {
      const answer = await get(gatehouse, '/api/v1/me', STRANGER);

      expect(answer.headers['vary']).toContain('Origin');
    });
  });

  it('never allows credentials in the sense of the browser', async () => {
    for (const path of [...DOCUMENTS, '/api/v1/me', '/healthz']) {
      for (const origin of [LISTED, STRANGER]) {
        for (const answer of [
          await preflight(gatehouse, path, origin),
          await get(gatehouse, path, origin).set(key.bearer),
        ]) {
          expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
        }
      }
    }
  });
});
