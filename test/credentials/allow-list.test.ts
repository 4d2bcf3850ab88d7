import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { createTestApp, type TestApp } from '../support/app/app.js';
import { expectProblem } from '../support/app/problems.js';
import { sendRaw } from '../support/app/raw-http.js';

/** Tests reach the server from here. */
const PEER = '127.0.0.1';

/** The answer without what is the request's own. */
function withoutRequestId({ status, headers, text }: Response) {
  const id = headers['x-request-id'] ?? '';
  const { date: _date, 'x-request-id': _id, ...rest } = headers;
  return { status, headers: rest, text: text.replaceAll(id, 'the request id') };
}

describe('the allow-list of a key', () => {
  const direct = useGatehouse();
  const proxied = useGatehouse({ TRUST_PROXY: '127.0.0.0/8, 10.0.0.0/8, 2001:db8:f::/48' });
  const tenants = new Map<TestApp, Tenant>();
  beforeAll(async () => {
    for (const gatehouse of [direct, proxied]) {
      tenants.set(gatehouse, await gatehouse.createTenant('acme'));
    }
  });

  /** Uses a fresh key with this list; `forwardedFor` is sent as it is. */
  const use = async (gatehouse: TestApp, allowedIps: string[] | null, forwardedFor?: string) => {
    const tenant = tenants.get(gatehouse);
    if (tenant === undefined) throw new Error('there is no tenant');
    const key = await gatehouse.createKey(tenant, { allowedIps });
    const request = gatehouse.http.get('/api/v1/me').set(key.bearer);
    return forwardedFor === undefined ? request : request.set('X-Forwarded-For', forwardedFor);
  };

  describe('without TRUST_PROXY', () => {
    it.each([
      ['the address', [PEER]],
      ['a network around it', ['127.0.0.0/8']],
      ['the address, mapped into IPv6', ['::ffff:127.0.0.1']],
      ['a network around it, mapped into IPv6', ['::ffff:127.0.0.0/104']],
      ['every IPv4 address', ['0.0.0.0/0']],
      ['one of several', ['192.0.2.1', '2001:db8::/32', PEER]],
    ])('admits from %s', async (_what, list) => {
      expect((await use(direct, list)).status).toBe(200);
    });

    it.each([
      ['another address', ['127.0.0.2']],
      ['another network', ['10.0.0.0/8', '192.168.0.0/16']],
      ['IPv6, all of it', ['::/0']],
      ['the IPv6 loopback address', ['::1']],
    ])('refuses %s', async (_what, list) => {
      expectProblem(await use(direct, list), 401, 'unauthorized');
    });

    it('ignores X-Forwarded-For', async () => {
      expect((await use(direct, [PEER], '192.0.2.1')).status).toBe(200);
      expectProblem(await use(direct, ['192.0.2.1'], '192.0.2.1'), 401, 'unauthorized');
    });

    it.each(['Forwarded', 'X-Real-IP', 'X-Client-IP', 'CF-Connecting-IP', 'True-Client-IP'])(
      'ignores %s',
      async (header) => {
        const key = await direct.createKey(tenants.get(direct) as Tenant, {
          allowedIps: ['192.0.2.1'],
        });
        const value = header === 'Forwarded' ? 'for=192.0.2.1' : '192.0.2.1';
        const answer = await direct.http.get('/api/v1/me').set({ ...key.bearer, [header]: value });

        expectProblem(answer, 401, 'unauthorized');
      },
    );

    it('answers a wrong address as it answers a wrong key, to the byte', async () => {
      const elsewhere = await use(direct, ['192.0.2.1']);
      const wrong = await direct.http
        .get('/api/v1/me')
        .set('Authorization', `Bearer ${direct.format.mint('live')}`);

      expect(withoutRequestId(elsewhere)).toEqual(withoutRequestId(wrong));
    });

    it('hides behind a wrong address that a key expired', async () => {
      const key = await direct.createKey(tenants.get(direct) as Tenant, {
        allowedIps: ['192.0.2.1'],
        expiresAt: new Date(Date.now() + 60_000).toISOString(),
      });
      await direct.database.shiftClock('2 minutes');

      const answer = await direct.http.get('/api/v1/me').set(key.bearer);

      await direct.database.shiftClock('0');
      expectProblem(answer, 401, 'unauthorized');
    });
  });

  describe('with TRUST_PROXY', () => {
    const client = '203.0.113.7';
    it.each([
      ['the address that the proxy saw', client, [client]],
      ['the last one that is not a proxy of ours', `1.2.3.4, ${client}, 10.1.2.3`, [client]],
      ['behind several proxies', `${client}, 10.1.1.1,10.2.2.2 , 127.0.0.9`, ['203.0.113.0/24']],
      ['an IPv4 address, mapped into IPv6', `::ffff:${client}`, [client]],
      ['the same in hexadecimal', '::ffff:cb00:7107', [client]],
      ['an IPv6 address', '2001:db8:1::7', ['2001:db8:1::/64']],
      ['an IPv6 address, written otherwise', '2001:0DB8:0001:0:0:0:0:0007', ['2001:db8:1::7']],
      ['behind a proxy that speaks IPv6', `${client}, 2001:db8:f:1::1`, [client]],
      ['an address with a port', `${client}:51234`, [client]],
      ['an IPv6 address in brackets', '[2001:db8:1::7]', ['2001:db8:1::/64']],
      ['an IPv6 address with a port', '[2001:db8:1::7]:443', ['2001:db8:1::7']],
      ['an IPv6 address in quotes', '"[2001:db8:1::7]:443"', ['2001:db8:1::7']],
      ['behind a proxy with a port', `${client}:1, 10.1.1.1:8080`, [client]],
      ['a request that a proxy made itself', '10.9.9.9', ['10.9.9.9']],
    ])('admits %s', async (_what, forwardedFor, list) => {
      expect((await use(proxied, list, forwardedFor)).status).toBe(200);
    });

    it.each([
      ['an address that the client put in front', `203.0.113.7, 198.51.100.1`, ['203.0.113.7']],
      ['one in front of our proxies', '203.0.113.7, 198.51.100.1, 10.1.1.1', ['203.0.113.7']],
      ['another address', '198.51.100.1', ['203.0.113.7']],
      ['a word', 'localhost', [PEER, '0.0.0.0/0', '::/0']],
      ['unknown', 'unknown', [PEER, '0.0.0.0/0', '::/0']],
      ['nothing', '', [PEER, '0.0.0.0/0', '::/0']],
      ['nothing at the end', '203.0.113.7, ', ['203.0.113.7', PEER, '0.0.0.0/0']],
      ['an octal address', '0177.0.0.1', [PEER, '0.0.0.0/0', '::/0']],
      ['an address as one number', '2130706433', [PEER, '0.0.0.0/0', '::/0']],
      ['an address with a word for a port', '203.0.113.7:http', ['203.0.113.7', '0.0.0.0/0']],
      ['an address with a zone', 'fe80::1%eth0', ['fe80::/10', '::/0']],
      ['unreadable between proxies', '203.0.113.7, x, 10.1.1.1', ['203.0.113.7', '0.0.0.0/0']],
      ['an IPv4 address for an IPv6 list', '203.0.113.7', ['::/0']],
    ])('refuses %s: what cannot be read matches nothing', async (_what, forwardedFor, list) => {
      expectProblem(await use(proxied, list, forwardedFor), 401, 'unauthorized');
    });

    it('matches no list when the proxy forwards no address', async () => {
      for (const list of [[PEER], ['127.0.0.0/8', '10.0.0.0/8'], ['0.0.0.0/0', '::/0']]) {
        expectProblem(await use(proxied, list), 401, 'unauthorized');
      }
      expect((await use(proxied, null)).status).toBe(200);
    });

    it('joins several header lines in their order', async () => {
      const key = await proxied.createKey(tenants.get(proxied) as Tenant, { allowedIps: [client] });
      const send = (...lines: string[]) =>
        sendRaw(proxied.origin, {
          path: '/api/v1/me',
          headers: [
            ['X-API-Key', key.secret],
            ...lines.map((line) => ['X-Forwarded-For', line] as const),
          ],
        });

      expect((await send('198.51.100.1', client)).status).toBe(200);
      expect((await send(client, '198.51.100.1')).status).toBe(401);
      expect((await send(client, '')).status).toBe(401);
    });

    it.each([10, 150, 199, 300, 999, 1000, 1001, 2500])(
      'is not dodged by %d header lines before the address',
      async (count) => {
        const tenant = tenants.get(proxied) as Tenant;
        const key = await proxied.createKey(tenant, { allowedIps: [PEER, '10.0.0.0/8'] });
        const junk = Array.from({ length: count }, () => ['A', ''] as const);
        const { status } = await sendRaw(proxied.origin, {
          path: '/api/v1/me',
          headers: [['X-API-Key', key.secret], ...junk, ['X-Forwarded-For', client]],
        });

        expect(status).toBe(count < 190 ? 401 : 431);
      },
    );

    it('ignores forwarded addresses for keys without a list', async () => {
      expect((await use(proxied, null, 'garbage')).status).toBe(200);
    });

    it('believes trusted proxies only', async () => {
      const other = await createTestApp({ TRUST_PROXY: '192.0.2.0/24' });
      tenants.set(other, await other.createTenant('acme'));

      expectProblem(await use(other, [client], client), 401, 'unauthorized');
      expect((await use(other, [PEER], client)).status).toBe(200);
      await other.close();
    });
  });
});
