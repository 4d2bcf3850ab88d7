import { beforeAll, describe, expect, it } from '@jest/globals';

import { type TestKey } from '../support/app/app.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const LISTED = 'https://app.example.com';
const STRANGER = 'https://evil.example';
const ALL_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const KEY_HEADERS = 'X-API-Key, X-Bwp-Api-Token, Idempotency-Key';
const COMMON_HEADERS = 'Authorization, Content-Type, DPoP, MCP-Protocol-Version';

const corsOf = ({ headers }: { readonly headers: object }): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('access-control-')),
  );

describe('CORS rules that could apply to the same request', () => {
  const gatehouse = useGatehouse({ CORS_ALLOWED_ORIGINS: LISTED });
  let key: TestKey;
  beforeAll(async () => {
    key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
  });

  const send = (method: 'get' | 'put' | 'post' | 'options', path: string, origin: string) =>
    gatehouse.http[method](path).set({ Origin: origin });
  const preflight = (path: string, origin: string, method = 'GET') =>
    send('options', path, origin).set('Access-Control-Request-Method', method);

  describe('the allowed origins', () => {
    it.each(['/api/v1/unknown', '/api/v1/me/', '/api/v1/', '/api/v1/oauth/TOKEN'])(
      'read a 404 below the prefix, such as that of %s',
      async (path) => {
        const answer = await send('get', path, LISTED);
        expect(answer.status).toBe(404);
        expect(corsOf(answer)['access-control-allow-origin']).toBe(LISTED);
        expect(answer.headers['vary']).toBe('Origin');
        expect(corsOf(await send('get', path, STRANGER))).toEqual({});
      },
    );

    it('read a 405', async () => {
      const answer = await send('put', '/api/v1/contacts', LISTED);
      expect(answer.status).toBe(405);
      expect(corsOf(answer)['access-control-allow-origin']).toBe(LISTED);
    });

    it.each(['/api/v1/me', '/api/v1/contacts/1', '/api/v1/unknown', '/api/v1/scopes'])(
      'are allowed every method by a preflight, whatever %s answers',
      async (path) => {
        const answer = await preflight(path, LISTED, 'DELETE');
        expect(answer.status).toBe(204);
        expect(corsOf(answer)).toEqual({
          'access-control-allow-origin': LISTED,
          'access-control-allow-methods': ALL_METHODS,
          'access-control-allow-headers': `${COMMON_HEADERS}, ${KEY_HEADERS}`,
          'access-control-max-age': '600',
        });
        expect(answer.headers['vary']).toBe('Origin');
      },
    );

    it('get the methods of a path by OPTIONS without Access-Control-Request-Method', async () => {
      const answer = await send('options', '/api/v1/me', LISTED);
      expect(answer.status).toBe(204);
      expect(answer.headers['allow']).toBe('GET, HEAD, OPTIONS');
      expect(corsOf(answer)).toEqual({
        'access-control-allow-origin': LISTED,
        'access-control-expose-headers': expect.stringContaining('Retry-After'),
      });
    });
  });

  describe('a path that any origin may read', () => {
    it.each(['/api/v1/oauth/jwks', '/api/v1/oauth/register/cli_x'])(
      'answers an allowed origin as it answers all: %s',
      async (path) => {
        for (const origin of [LISTED, STRANGER]) {
          const answer = await send('get', path, origin);
          expect(corsOf(answer)['access-control-allow-origin']).toBe('*');
          expect(answer.headers['vary'] ?? '').not.toContain('Origin');
          expect(corsOf(await preflight(path, origin))).toMatchObject({
            'access-control-allow-origin': '*',
            'access-control-allow-headers': COMMON_HEADERS,
            'access-control-max-age': '600',
          });
        }
      },
    );

    it.each([
      ['/docs/errors', 'GET, HEAD'],
      ['/.well-known/openid-configuration', 'GET, HEAD'],
      ['/api/v1/oauth/jwks', 'GET, HEAD'],
      ['/api/v1/oauth/register', 'POST'],
      ['/api/v1/oauth/register/cli_x', 'GET, HEAD, PUT, DELETE'],
    ])('answers other methods readably too: %s', async (path, methods) => {
      const other = await gatehouse.http.patch(path).set({ Origin: STRANGER });
      expect(other.status).toBe(405);
      expect(corsOf(other)['access-control-allow-origin']).toBe('*');
      const asked = await preflight(path, STRANGER, 'PATCH');
      expect(asked.status).toBe(204);
      expect(corsOf(asked)['access-control-allow-methods']).toBe(methods);
    });
  });

  describe('a path whose answers decide', () => {
    it.each([
      ['/api/v1/oauth/token', 'POST'],
      ['/api/v1/oauth/revoke', 'POST'],
      ['/api/v1/oauth/userinfo', 'GET, HEAD, POST'],
    ])('answers the preflight of an allowed origin as that of all: %s', async (path, methods) => {
      for (const origin of [LISTED, STRANGER]) {
        const answer = await preflight(path, origin, 'POST');
        expect(corsOf(answer)).toEqual({
          'access-control-allow-origin': '*',
          'access-control-allow-methods': methods,
          'access-control-allow-headers': COMMON_HEADERS,
          'access-control-max-age': '600',
        });
        expect(answer.headers).not.toHaveProperty('vary');
      }
    });

    it('does not let an allowed origin read what a key may see', async () => {
      const answer = await send('get', '/api/v1/oauth/userinfo', LISTED).set(key.bearer);
      expect(answer.status).toBe(200);
      expect(corsOf(answer)).toEqual({});
      expect(answer.headers['vary']).toBe('Origin');
    });

    it('lets nobody read the answer to another method', async () => {
      const answer = await send('get', '/api/v1/oauth/token', LISTED);
      expect(answer.status).toBe(405);
      expect(corsOf(answer)).toEqual({});
    });
  });

  describe('a public read', () => {
    it('allows strangers publishable keys, not to be remembered, and varies by origin', async () => {
      for (const path of ['/api/v1/products', '/api/v1/products/1']) {
        const answer = await preflight(path, STRANGER);
        expect(answer.status).toBe(204);
        expect(corsOf(answer)).toEqual({
          'access-control-allow-origin': '*',
          'access-control-allow-methods': 'GET, HEAD',
          'access-control-allow-headers': 'X-API-Key',
        });
        expect(answer.headers['vary']).toBe('Origin');
      }
    });

    it('allows an allowed origin all that other paths allow it', async () => {
      const answer = await preflight('/api/v1/products', LISTED);
      expect(corsOf(answer)).toMatchObject({
        'access-control-allow-origin': LISTED,
        'access-control-allow-methods': ALL_METHODS,
        'access-control-max-age': '600',
      });
    });
  });
});
