import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';

import {
  createTestAppBehindProxy,
  managing,
  register,
  registerConfidential,
} from '../support/app/clients.js';
import { sendRaw } from '../support/app/raw-http.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PUBLIC = { client_name: 'App', redirect_uris: ['http://localhost:1234/cb'] };
const OTHER = { ...PUBLIC, client_name: 'Other' };
const CHANGED = { client_name: 'Changed', redirect_uris: ['https://changed.example.com/cb'] };

describe('/api/v1/oauth/register/:clientId', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let confidential: Response['body'];
  let open: Response['body'];
  beforeEach(async () => {
    confidential = (await registerConfidential(gatehouse)).body;
    open = (await register(gatehouse, PUBLIC)).body;
  });

  /** The management endpoint of a client with its own token, or another's. */
  const of = (client: Response['body'], token = client.registration_access_token as string) =>
    managing(gatehouse, client.client_id as string, token);

  const rowOf = async ({ client_id }: Response['body']) =>
    (await gatehouse.database.query('SELECT * FROM clients WHERE id = $1', [client_id]))[0];

  describe('401', () => {
    const refuseAll = async (client: Response['body'], token: string | undefined) => {
      const before = await rowOf(client);
      const endpoint = managing(gatehouse, client.client_id, token);
      const answers = [await endpoint.get(), await endpoint.put(CHANGED), await endpoint.delete()];
      for (const answer of answers) {
        expect(answer.status).toBe(401);
        expect(answer.body.error).toBe('invalid_token');
        expect(answer.headers['www-authenticate']).toBe(
          `Bearer realm="oauth"${token === undefined ? '' : ', error="invalid_token"'}`,
        );
        expect(answer.headers['cache-control']).toBe('no-store');
      }
      expect(await rowOf(client)).toEqual(before);
    };

    it('for no token, and for text that is not a token', async () => {
      for (const client of [confidential, open]) {
        const own = client.registration_access_token as string;
        await refuseAll(client, undefined);
        await refuseAll(client, 'nonsense');
        await refuseAll(client, gatehouse.format.mint('rat'));
        await refuseAll(client, `${own.slice(0, -1)}${own.endsWith('0') ? '1' : '0'}`);
      }
    });

    it("for another client's token, confidential or public", async () => {
      const otherConfidential = (await registerConfidential(gatehouse)).body;
      const otherOpen = (await register(gatehouse, OTHER)).body;
      for (const { registration_access_token } of [otherConfidential, otherOpen, open]) {
        await refuseAll(confidential, registration_access_token);
      }
      for (const { registration_access_token } of [otherConfidential, otherOpen, confidential]) {
        await refuseAll(open, registration_access_token);
      }
    });

    it("for the client's secret and for API keys", async () => {
      const key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
      await refuseAll(confidential, confidential.client_secret);
      await refuseAll(confidential, key.secret);
    });

    it('for a token of another server, and one derived for another purpose', async () => {
      const elsewhere = await createTestAppBehindProxy({ SECRET_KEYS: 'x'.repeat(40) });
      const foreign = (await register(elsewhere, PUBLIC)).body;
      await elsewhere.close();
      expect(foreign.client_id).toBe(open.client_id);
      await refuseAll(open, foreign.registration_access_token);

      for (const text of [open.client_id, JSON.stringify(['cursor', open.client_id])]) {
        const mac = Buffer.from(gatehouse.keyring.sign(text), 'hex');
        await refuseAll(open, gatehouse.format.write('rat', mac));
      }
    });

    it.each([
      'cli_00000000000000000000000000000000',
      'cli_01ARZ3NDEKTSV4RRFFQ69G5FAV',
      'cli_',
      'x',
      '%00',
      '%E2%82%AC',
      "'",
      'cli_%2e%2e',
    ])('for a client that does not exist: %s', async (id) => {
      const { registration_access_token: token } = confidential;
      for (const answer of [
        await managing(gatehouse, id, token).get(),
        await managing(gatehouse, id, token).put(CHANGED),
        await managing(gatehouse, id, token).delete(),
      ]) {
        expect(answer.status).toBe(401);
        expect(answer.body.error).toBe('invalid_token');
      }
    });

    it('for a derived token of a public client that was never registered', async () => {
      const id = `cli_${'ab'.repeat(16)}`;
      const purpose = JSON.stringify(['registration token', id]);
      const mac = Buffer.from(gatehouse.keyring.sign(purpose), 'hex');
      const answer = await managing(gatehouse, id, gatehouse.format.write('rat', mac)).get();
      expect(answer.status).toBe(401);
    });

    it('for a token that is presented twice, or in another scheme', async () => {
      const path = `/api/v1/oauth/register/${confidential.client_id}`;
      const bearer = ['Authorization', `Bearer ${confidential.registration_access_token}`] as const;
      const twice = await sendRaw(gatehouse.origin, { path, headers: [bearer, bearer] });
      expect(twice.status).toBe(401);
      for (const headers of [
        { Authorization: `Basic ${confidential.registration_access_token}` },
        { 'X-API-Key': confidential.registration_access_token as string },
      ]) {
        expect((await gatehouse.http.get(path).set(headers)).status).toBe(401);
      }
    });
  });

  describe('429', () => {
    it('for the 21st change in an hour, and the 51st in a day', async () => {
      const put = async () => (await of(confidential).put(CHANGED)).status;
      const statuses: number[] = [];
      for (let hour = 0; hour < 3; hour += 1) {
        await gatehouse.database.shiftClock(`${hour * 61} minutes`);
        for (let n = 0; n < 21; n += 1) statuses.push(await put());
      }
      await gatehouse.database.shiftClock('0 seconds');
      const allowed = (count: number, refused: number) => [
        ...Array<number>(count).fill(200),
        ...Array<number>(refused).fill(429),
      ];
      expect(statuses).toEqual([...allowed(20, 1), ...allowed(20, 1), ...allowed(10, 11)]);
      expect((await of((await registerConfidential(gatehouse)).body).put(CHANGED)).status).toBe(
        200,
      );
    });
  });

  describe('403', () => {
    it('for changing or deleting a public client, which its installations share', async () => {
      const before = await rowOf(open);
      for (const answer of [await of(open).put(CHANGED), await of(open).delete()]) {
        expect(answer.status).toBe(403);
        expect(answer.body.error).toBe('insufficient_scope');
        expect(answer.headers['www-authenticate']).toBe(
          'Bearer realm="oauth", error="insufficient_scope"',
        );
      }
      expect(await rowOf(open)).toEqual(before);
    });
  });
});
