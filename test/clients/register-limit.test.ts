import { describe, expect, it } from '@jest/globals';

import {
  countClients,
  createTestAppBehindProxy,
  freshAddress,
  register,
} from '../support/app/clients.js';
import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const REDIRECT = 'https://app.example.com/cb';
const BASE = { client_name: 'App', redirect_uris: [REDIRECT] };

describe('POST /api/v1/oauth/register', () => {
  const gatehouse = useGatehouse({
    TRUST_PROXY: '127.0.0.1',
    RATE_LIMIT_REGISTRATION_PER_MINUTE: '5',
  });

  const post = (body: object | string, address?: string) => register(gatehouse, body, address);

  describe('429', () => {
    const fresh = (name: string, more: object = {}) => ({ ...BASE, client_name: name, ...more });
    const secret = { token_endpoint_auth_method: 'client_secret_basic' };

    it('refuses the sixth new client of an address within a minute, and creates nothing', async () => {
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

    it('counts refused registrations, and not those of an existing client', async () => {
      const address = freshAddress();
      await post(fresh('Known'));
      for (let n = 0; n < 12; n += 1) {
        expect((await post(fresh('Known'), address)).status).toBe(201);
      }
      const refused = [
        await post({ redirect_uris: ['x'] }, address),
        await post('{', address),
        await post({ ...BASE, padding: 'x'.repeat(64 * 1024) }, address),
        await post(BASE, address).set('Content-Type', 'text/plain'),
      ];
      expect(refused.map(({ status }) => status)).toEqual([400, 400, 413, 415]);
      expect((await post(fresh('The fifth attempt'), address)).status).toBe(201);

      for (const body of [fresh('New'), { redirect_uris: ['x'] }, '{', '[]']) {
        const answer = await post(body, address);
        expect(answer.status).toBe(429);
        expect(answer.body.error).toBe('temporarily_unavailable');
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
      expect((await post(fresh('Known'), address)).status).toBe(201);
    });

    it('refuses attempts that fail at once beyond the limit', async () => {
      const address = freshAddress();
      const answers = await Promise.all(Array.from({ length: 12 }, () => post('{', address)));
      const statuses = answers.map(({ status }) => status).toSorted();
      expect(statuses).toEqual([...Array(5).fill(400), ...Array(7).fill(429)]);
    });

    it('admits ten times as many clients per address and day', async () => {
      const address = freshAddress();
      const before = await countClients(gatehouse);
      for (let minute = 0; minute < 10; minute += 1) {
        await gatehouse.database.shiftClock(`${minute * 61} seconds`);
        const bodies = Array.from({ length: 5 }, (_, n) => fresh(`Day ${minute} ${n}`));
        await Promise.all(bodies.map((body) => post(body, address)));
      }
      expect(await countClients(gatehouse)).toBe(before + 50);

      await gatehouse.database.shiftClock('1 hour');
      const refused = await post(fresh('One more'), address);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(80_000);
      // Refused requests took no attempts of the minute.
      const failed = await Promise.all(Array.from({ length: 5 }, () => post('{', address)));
      expect(failed.map(({ status }) => status)).toEqual(Array(5).fill(400));
      expect((await post(fresh('Day 0 0'), address)).status).toBe(201);
      await gatehouse.database.shiftClock('25 hours');
      const later = await post(fresh('One more'), address);
      await gatehouse.database.shiftClock('0 seconds');
      expect(later.status).toBe(201);
    });

    it('admits 600 registrations of an address per minute, existing clients included', async () => {
      const address = freshAddress();
      const statuses = new Map<number, number>();
      for (let round = 0; round < 70; round += 1) {
        const answers = await Promise.all(
          Array.from({ length: 10 }, () => post(fresh('Flooded'), address)),
        );
        for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      expect(Object.fromEntries(statuses)).toEqual({ 201: 600, 429: 100 });
      expect((await post(fresh('Flooded'))).status).toBe(201);
    });

    it('does not count a client that a concurrent request creates', async () => {
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

    it('admits all installations of the last new app, concurrent ones too', async () => {
      const address = freshAddress();
      for (let n = 0; n < 4; n += 1) await post(fresh(`Filling ${n}`), address);
      const answers = await Promise.all(
        Array.from({ length: 9 }, () => post(fresh('The fifth'), address)),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
      expect((await post(fresh('The sixth'), address)).status).toBe(429);
    });

    it('counts an IPv6 /64 as one address', async () => {
      const statuses: number[] = [];
      for (let n = 0; n < 6; n += 1) {
        statuses.push((await post(fresh(`Six ${n}`), `2001:db8:1:2:${n}::${n}`)).status);
      }
      expect(statuses).toEqual([201, 201, 201, 201, 201, 429]);
      expect((await post(fresh('Six 5'), '2001:db8:1:3::1')).status).toBe(201);
    });

    it.each([
      ['20 by default', {}, 20],
      ['as configured', { RATE_LIMIT_REGISTRATION_PER_MINUTE: '3' }, 3],
      ['unlimited at 0', { RATE_LIMIT_REGISTRATION_PER_MINUTE: '0' }, 30],
    ])('admits new clients of an address in a minute: %s', async (_what, env, expected) => {
      const other = await createTestAppBehindProxy(env);
      const address = freshAddress();
      const statuses: number[] = [];
      for (let n = 0; n < 30; n += 1) {
        statuses.push((await register(other, fresh(`Limit ${n}`), address)).status);
      }
      await other.close();
      expect(statuses.filter((status) => status === 201)).toHaveLength(expected);
    });

    it('does not fail for invalid addresses', async () => {
      expect((await post(fresh('Odd'), `x${'y'.repeat(5000)}`)).status).toBe(201);
    });
  });
});
