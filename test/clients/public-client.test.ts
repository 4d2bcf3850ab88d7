import { describe, expect, it } from '@jest/globals';

import {
  countClients,
  createTestAppBehindProxy,
  freshAddress,
  managing,
  register,
} from '../support/app/clients.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('POST /api/v1/oauth/register', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });

  const post = (body: object | string, address?: string) => register(gatehouse, body, address);

  describe('the same public app again', () => {
    const app = (port: number, more: object = {}) => ({
      client_name: 'Installed',
      redirect_uris: [`http://127.0.0.1:${port}/cb`, 'my-app://cb', `http://localhost:${port}/cb`],
      grant_types: ['authorization_code', 'refresh_token'],
      contacts: ['a@example.com', 'b@example.com'],
      ...more,
    });

    it('is the same client for any port and order, with one row and one token', async () => {
      const first = await post(app(4000));
      const before = await countClients(gatehouse);
      const uris = app(5000).redirect_uris;
      const again = [
        await post(app(5000)),
        await post(app(6000, { redirect_uris: uris.toReversed() })),
        await post(app(6000, { redirect_uris: [...uris, 'http://127.0.0.1/cb'] })),
        await post(app(1, { grant_types: ['refresh_token', 'authorization_code'] })),
        await post(app(1, { contacts: ['b@example.com'], contact: 'a@example.com' })),
        await post(app(1, { scope: '', tos_uri: 'https://example.com/tos' })),
        await post(app(1, { client_name: 'Inst\u200balled' })),
      ];

      for (const answer of again) {
        expect(answer.status).toBe(201);
        expect(answer.body).toMatchObject({
          client_id: first.body.client_id,
          client_id_issued_at: first.body.client_id_issued_at,
          registration_access_token: first.body.registration_access_token,
        });
      }
      expect(await countClients(gatehouse)).toBe(before);
      // Each response has its own port, and the row has no port.
      expect(again[0]?.body.redirect_uris).toEqual(app(5000).redirect_uris);
      const { client_id, registration_access_token } = first.body;
      const shown = await managing(gatehouse, client_id, registration_access_token).get();
      expect(shown.body.redirect_uris).toEqual([
        'http://127.0.0.1/cb',
        'http://localhost/cb',
        'my-app://cb',
      ]);
    });

    it('is another client if any stored member differs', async () => {
      const others = [
        app(1),
        app(1, { client_name: 'installed' }),
        app(1, { scope: 'leads:read' }),
        app(1, { contacts: ['a@example.com'] }),
        app(1, { application_type: 'web' }),
        app(1, { client_uri: 'https://example.com/' }),
        app(1, { software_id: 'x' }),
        app(1, { logo_uri: 'https://example.com/' }),
        app(1, { software_version: 'x' }),
        app(1, { grant_types: ['authorization_code'] }),
        app(1, { redirect_uris: ['http://127.0.0.1:1/cb', 'my-app://cb'] }),
        app(1, { redirect_uris: ['https://example.com:1/cb'] }),
        app(1, { redirect_uris: ['https://example.com:2/cb'] }),
      ];
      const answers = await Promise.all(others.map((body) => post(body)));

      expect(answers.map(({ status }) => status)).toEqual(others.map(() => 201));
      expect(new Set(answers.map(({ body }) => body.client_id)).size).toBe(others.length);
    });

    it('is the same client on another server, under other secret keys', async () => {
      const other = await createTestAppBehindProxy({
        SECRET_KEYS: 'another secret key of another server altogether',
      });
      const [here, there] = [await post(app(1)), await register(other, app(2))];
      await other.close();

      expect(there.body.client_id).toBe(here.body.client_id);
      expect(there.body.registration_access_token).not.toBe(here.body.registration_access_token);
    });

    it('is one row if all its installations register at once', async () => {
      const before = await countClients(gatehouse);
      const body = (port: number) => app(port, { client_name: 'Raced' });
      // Above the limit of their address: only new clients count.
      const address = freshAddress();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => post(body(n + 1), address)),
      );
      const elsewhere = await Promise.all(
        Array.from({ length: 5 }, () => post(app(1, { client_name: 'Raced elsewhere' }))),
      );

      const all = [...answers, ...elsewhere];
      expect(all.map(({ status }) => status)).toEqual(all.map(() => 201));
      expect(new Set(all.map(({ body: { client_id } }) => client_id)).size).toBe(2);
      expect(await countClients(gatehouse)).toBe(before + 2);
      const [log] = await gatehouse.database.query<{ count: number }>(
        `SELECT count(*)::int FROM audit_log WHERE action = 'client.register' AND subject = $1`,
        [answers[0]?.body.client_id],
      );
      expect(log?.count).toBe(1);
    });
  });
});
