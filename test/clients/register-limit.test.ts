import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { TestApp } from '../support/app.js';
import {
  countClients,
  createTestAppBehindProxy,
  freshAddress,
  register,
} from '../support/clients.js';
import { until } from '../support/until.js';

const REDIRECT = 'https://app.example.com/cb';
const BASE = { client_name: 'App', redirect_uris: [REDIRECT] };

describe('POST /api/v1/oauth/register', () => {
  let gatehouse: TestApp;
  beforeAll(async () => {
    gatehouse = await createTestAppBehindProxy();
  });
  afterAll(() => gatehouse.close());

  const post = (body: object | string, address?: string) => register(gatehouse, body, address);

  describe('429', () => {
    const fresh = (name: string, more: object = {}) => ({ ...BASE, client_name: name, ...more });
    const secret = { token_endpoint_auth_method: 'client_secret_basic' };

    it('refuses the sixth new client of an address within a minute, and makes nothing', async () => {
      const address = freshAddress();
      const before = await countClients(gatehouse);
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, n) =>
          post(fresh(`Flood ${n}`, n % 2 === 0 ? secret : {}), address),
        ),
      );

      const statuses = answers.map(({ status }) => status).toSorted();
      expect(statuses).toEqual([...Array(5).fill(201), ...Array(7).fill(429)]);
      expect(await countClients(gatehouse)).toBe(before + 5);
      const refused = answers.find(({ status }) => status === 429);
      expect(refused?.body).toEqual({
        error: 'temporarily_unavailable',
        error_description: expect.any(String),
      });
      const wait = Number(refused?.headers['retry-after']);
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(60);

      // A client that exists is not new, and another address has a limit of its own.
      const known = answers.findIndex(({ status }, n) => status === 201 && n % 2 === 1);
      if (known >= 0) expect((await post(fresh(`Flood ${known}`), address)).status).toBe(201);
      expect((await post(fresh('Elsewhere'))).status).toBe(201);

      await gatehouse.database.shiftClock('61 seconds');
      const later = await post(fresh('Later'), address);
      await gatehouse.database.shiftClock('0 seconds');
      expect(later.status).toBe(201);
    });

    it('does not count what exists, nor what is refused', async () => {
      const address = freshAddress();
      await post(fresh('Known'));
      for (let n = 0; n < 6; n += 1) {
        expect((await post(fresh('Known'), address)).status).toBe(201);
        expect((await post({ redirect_uris: ['x'] }, address)).status).toBe(400);
      }
      for (let n = 0; n < 5; n += 1) {
        expect((await post(fresh(`New ${n}`), address)).status).toBe(201);
      }
      expect((await post(fresh('Known'), address)).status).toBe(201);
      expect((await post(fresh('New 5'), address)).status).toBe(429);
    });

    it('does not count what somebody else is just making', async () => {
      const address = freshAddress();
      const id = (await post(fresh('Made elsewhere'))).body.client_id as string;
      const elsewhere = gatehouse.dataSource.createQueryRunner();
      await gatehouse.database.query('CREATE TABLE kept AS SELECT * FROM clients WHERE id = $1', [
        id,
      ]);
      await gatehouse.database.query('DELETE FROM clients WHERE id = $1', [id]);
      await elsewhere.startTransaction();
      await elsewhere.query('INSERT INTO clients SELECT * FROM kept');
      const waiting = post(fresh('Made elsewhere'), address).then((answer) => answer);
      await until(async () => {
        const found = await gatehouse.database.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'`,
        );
        return found.length === 1;
      });
      await elsewhere.commitTransaction();
      await elsewhere.release();

      expect(await waiting).toMatchObject({ status: 201, body: { client_id: id } });
      const statuses: number[] = [];
      for (let n = 0; n < 6; n += 1) {
        statuses.push((await post(fresh(`Own ${n}`), address)).status);
      }
      expect(statuses).toEqual([201, 201, 201, 201, 201, 429]);
    });

    it('admits all installations of the last new app, also at once', async () => {
      const address = freshAddress();
      for (let n = 0; n < 4; n += 1) await post(fresh(`Filling ${n}`), address);
      const answers = await Promise.all(
        Array.from({ length: 9 }, () => post(fresh('The fifth'), address)),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
      expect((await post(fresh('The sixth'), address)).status).toBe(429);
    });

    it('takes the addresses of one IPv6 network for one', async () => {
      const statuses: number[] = [];
      for (let n = 0; n < 6; n += 1) {
        statuses.push((await post(fresh(`Six ${n}`), `2001:db8:1:2:${n}::${n}`)).status);
      }
      expect(statuses).toEqual([201, 201, 201, 201, 201, 429]);
      expect((await post(fresh('Six 5'), '2001:db8:1:3::1')).status).toBe(201);
    });

    it('survives addresses that are none', async () => {
      expect((await post(fresh('Odd'), `x${'y'.repeat(5000)}`)).status).toBe(201);
    });
  });
});
