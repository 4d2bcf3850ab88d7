import { describe, expect, it } from '@jest/globals';

import { createTestApp } from '../../support/app/app.js';
import { expectProblem } from '../../support/app/problems.js';
import { sendRaw, type RawRequest } from '../../support/app/raw-http.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const ISSUER = 'http://localhost:3000';

describe('a browser', () => {
  const gatehouse = useGatehouse({ ISSUER });

  /** Asks for a page as a browser does that was sent to this host. */
  const open = (host: string, path: string, more: Partial<RawRequest> = {}) =>
    sendRaw(gatehouse.origin, {
      path,
      ...more,
      host,
      headers: [['Accept', HTML], ...(more.headers ?? [])],
    });

  it('is redirected to sign-in from the origin', async () => {
    const start = await open('localhost:3000', '/');
    expect([start.status, start.headers.location]).toEqual([302, '/settings']);
    const settings = await open('localhost:3000', '/settings');
    expect([settings.status, settings.headers.location]).toEqual([303, '/login']);
  });

  it.each(['/', '/nothing', '/docs', '/settings/', '/login/x', '//evil.example', '/metrics'])(
    'sees a page or is led to one at %s',
    async (path) => {
      const { status, headers, text } = await open('localhost:3000', path);
      if (status < 400) expect(headers.location).toMatch(/^\/[a-z]/);
      else {
        expect(headers['content-type']).toBe('text/html; charset=utf-8');
        expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
        expect(text).toContain('<h1>');
      }
    },
  );

  it('gets error pages for other errors too', async () => {
    const answer = await open('localhost:3000', '/docs/errors', { method: 'DELETE' });
    expect([answer.status, answer.headers['content-type']]).toEqual([
      405,
      'text/html; charset=utf-8',
    ]);
  });

  it('gets problems from the API', async () => {
    const answer = await gatehouse.http.get('/api/v1/nothing').set('Accept', HTML);
    expectProblem(answer, 404, 'not_found');
  });

  it.each([['*/*'], ['application/json'], ['application/json, text/html'], ['text/html;q=0']])(
    'is not what asks for %s',
    async (accept) => {
      for (const path of ['/', '/nothing']) {
        expectProblem(await gatehouse.http.get(path).set('Accept', accept), 404, 'not_found');
      }
    },
  );

  it.each([
    '127.0.0.1:3000',
    '127.1:3000',
    '2130706433:3000',
    '[::1]:3000',
    '[0:0:0:0:0:0:0:1]:3000',
    '[::ffff:127.0.0.1]:3000',
    '0.0.0.0:3000',
    'app.localhost:3000',
    'localhost.:3000',
  ])('at %s is sent to the issuer', async (host) => {
    for (const path of ['/', '/login', '/settings/tokens?a=b&c', '/docs/errors']) {
      const { status, headers } = await open(host, path);
      expect([status, headers.location]).toEqual([308, ISSUER + path]);
    }
    const head = await open(host, '/login', { method: 'HEAD' });
    expect(head.status).toBe(308);
  });

  it.each([
    'localhost:3000',
    'LOCALHOST:3000',
    'localhost',
    '127.0.0.1',
    '127.0.0.1:3001',
    'localhost.example.com:3000',
    'evil.example:3000',
    '127.0.0.1.example.com:3000',
    'user@127.0.0.1:3001',
    ' ',
    'x y',
  ])('at %s is not', async (host) => {
    expect((await open(host, '/login')).status).toBe(200);
  });

  it('is redirected to the issuer for pages only, and without credentials', async () => {
    const host = '127.0.0.1:3000';
    const secret = gatehouse.format.mint('live');
    const statuses = await Promise.all([
      open(host, '/healthz'),
      open(host, '/.well-known/oauth-authorization-server'),
      open(host, '/api/v1/me'),
      open(host, '/loginx'),
      open(host, '/login', { method: 'POST' }),
      open(host, '/login', { headers: [['Authorization', `Bearer ${secret}`]] }),
      open(host, '/login', { headers: [['X-API-Key', secret]] }),
      open(host, '/login?auth_token=x'),
    ]);
    for (const { status } of statuses) expect(status).not.toBe(308);
  });

  it.each([
    ['/login/..//evil.example', `${ISSUER}//evil.example`],
    ['/login\\@evil.example', `${ISSUER}/login/@evil.example`],
    ['http://evil.example/login', `${ISSUER}/login`],
    ['/login?//evil.example', `${ISSUER}/login?//evil.example`],
  ])('is sent nowhere else by %s', async (path, location) => {
    const { status, headers } = await open('127.0.0.1:3000', path);
    if (status === 308) expect(headers.location).toBe(location);
    else expect(status).toBe(404);
  });

  it('is not redirected to an issuer on another host', async () => {
    const other = await createTestApp({ ISSUER: 'https://auth.example.com' });
    const headers = [['Accept', HTML]] as const;
    const answer = await sendRaw(other.origin, { path: '/login', host: '127.0.0.1', headers });
    expect(answer.status).toBe(200);
    await other.close();
  });
});

describe('a request', () => {
  const gatehouse = useGatehouse();

  it('is refused when it names two hosts', async () => {
    const headers = [['hOST', 'localhost']] as const;
    const answer = await sendRaw(gatehouse.origin, { path: '/healthz', headers });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'bad_request' });
  });

  it.each([201, 1500, 3000])(
    'that has %d header lines is refused, whatever they hold',
    async (n) => {
      const headers = Array.from({ length: n }, () => ['A', ''] as const);
      for (const path of ['/healthz', '/api/v1/me', '/login', '/api/v1/oauth/token']) {
        const { status, text } = await sendRaw(gatehouse.origin, { path, headers });
        expect([status, text]).toEqual([431, '']);
      }
    },
  );

  it('is warned about once when an untrusted proxy forwarded it', async () => {
    const warnings = () => gatehouse.logged.filter((line) => line.includes('TRUST_PROXY'));
    expect(warnings()).toEqual([]);
    for (const path of ['/healthz', '/api/v1/me', '/login']) {
      await gatehouse.http.get(path).set('X-Forwarded-For', '192.0.2.1');
    }
    expect(warnings()).toHaveLength(1);
    expect(JSON.parse(warnings()[0] ?? '{}')).toMatchObject({ level: 'warn' });
  });

  it('causes no warning when a trusted proxy forwarded it', async () => {
    const proxied = await createTestApp({ TRUST_PROXY: '127.0.0.1' });
    await proxied.http.get('/healthz').set('X-Forwarded-For', '192.0.2.1');
    expect(proxied.logged.filter((line) => line.includes('TRUST_PROXY'))).toEqual([]);
    await proxied.close();
  });
});
