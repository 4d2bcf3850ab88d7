import { beforeAll, describe, expect, it } from '@jest/globals';

import { type TestKey } from '../support/app/app.js';
import { expectProblem } from '../support/app/problems.js';
import { sendRaw } from '../support/app/raw-http.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('paths and methods', () => {
  const gatehouse = useGatehouse();
  let key: TestKey;
  beforeAll(async () => {
    key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
  });

  const send = async (method: string, path: string) => {
    const headers = [['X-API-Key', key.secret]] as const;
    const answer = await sendRaw(gatehouse.origin, { method, path, headers });
    const { code } = JSON.parse(answer.text || '{}') as { code?: string };
    return { ...answer, code };
  };
  const setOf = (list: string | undefined) => new Set(list?.split(', '));

  describe('404', () => {
    it.each([
      '/',
      '/api',
      '/api/v1',
      '/api/v2/me',
      '/me',
      '/api/v1/unknown',
      '/api/v1/contacts/1/x',
      '/api/v1/me/',
      '/api/v1/contacts/',
      '/api/v1/contacts/1/',
      '/healthz/',
      '/API/v1/me',
      '/api/V1/me',
      '/api/v1/ME',
      '/api/v1/Contacts',
      '/Healthz',
      '//api/v1/me',
      '/api//v1/me',
      '/api/v1//me',
      '/api/v1/%6de',
      '/api/v1/me%2f',
      '/api/v1/me;x',
      '/api/v1/me%00',
      '/api/v1/../v1/me',
      '/api/v1/./me',
      '/%',
      '/%zz',
      '/.well-known/oauth-protected-resource/',
      '/.well-known/OAuth-Protected-Resource',
    ])('is for %s: a path is what it is, to the letter', async (path) => {
      expect(await send('GET', path)).toMatchObject({ status: 404, code: 'not_found' });
    });

    it('answers unknown paths whatever the method', async () => {
      for (const method of ['HEAD', 'POST', 'DELETE', 'OPTIONS', 'PROPFIND']) {
        expect((await send(method, '/api/v1/unknown')).status).toBe(404);
      }
    });

    it('answers a path parameter that cannot be decoded', async () => {
      expect((await send('GET', '/api/v1/contacts/%zz')).status).toBe(404);
      expect((await send('GET', '/api/v1/api-keys/%ff')).status).toBe(404);
    });
  });

  describe('405', () => {
    it.each([
      ['PUT', '/api/v1/contacts', 'GET, HEAD, POST, OPTIONS'],
      ['DELETE', '/api/v1/contacts', 'GET, HEAD, POST, OPTIONS'],
      ['POST', '/api/v1/contacts/1', 'GET, HEAD, PATCH, DELETE, OPTIONS'],
      ['GET', '/api/v1/api-keys/x/rotate', 'POST, OPTIONS'],
      ['HEAD', '/api/v1/api-keys/x/rotate', 'POST, OPTIONS'],
      ['POST', '/api/v1/me', 'GET, HEAD, OPTIONS'],
      ['PROPFIND', '/api/v1/me', 'GET, HEAD, OPTIONS'],
      ['TRACE', '/api/v1/me', 'GET, HEAD, OPTIONS'],
      ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
      ['POST', '/.well-known/oauth-protected-resource', 'GET, HEAD, OPTIONS'],
    ])('is for %s %s, and says what is allowed', async (method, path, allowed) => {
      const answer = await send(method, path);

      expect(answer.status).toBe(405);
      expect(answer.code).toBe(method === 'HEAD' ? undefined : 'method_not_allowed');
      expect(setOf(answer.headers.allow)).toEqual(setOf(allowed));
    });

    it('takes the method from the request line only', async () => {
      const answer = await gatehouse.http
        .post('/api/v1/me?_method=GET')
        .set({ ...key.bearer, 'X-HTTP-Method-Override': 'GET' });

      expectProblem(answer, 405, 'method_not_allowed');
    });
  });

  describe('OPTIONS', () => {
    it('names the allowed methods without a credential', async () => {
      const answer = await gatehouse.http.options('/api/v1/contacts/1');

      expect(answer.status).toBe(204);
      expect(setOf(answer.headers['allow'])).toEqual(
        new Set(['GET', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS']),
      );
    });
  });

  describe('HEAD', () => {
    it.each(['/api/v1/me', '/api/v1/contacts', '/api/v1/scopes', '/healthz', '/readyz'])(
      'answers on %s as GET does, without the body',
      async (path) => {
        const get = await send('GET', path);
        const head = await send('HEAD', path);

        expect(head.status).toBe(200);
        expect(head.text).toBe('');
        expect(head.headers['content-length']).toBe(get.headers['content-length']);
        expect(head.headers['content-type']).toBe(get.headers['content-type']);
      },
    );

    it('is guarded as GET is', async () => {
      const answer = await gatehouse.http.head('/api/v1/contacts');

      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('scope="contacts:read"');
    });
  });
});
