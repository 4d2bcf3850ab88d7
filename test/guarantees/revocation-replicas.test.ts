import { beforeAll, describe, expect, it } from '@jest/globals';

import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestApp, TestKey } from '../support/app/app.js';
import {
  ONE_KEY,
  revokeInRounds,
  statusOf,
  type Minted,
} from '../support/replicas/revocation-rounds.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';
import type { ServerProcess } from '../support/process/server-process.js';
import { until } from '../support/app/until.js';

/** `revocation-replicas.long.test.ts` does 1000. */
const ROUNDS = 60;
const TENANTS = 6;
const MINTERS = 3;

describe('two server processes on one database', () => {
  const both = useTwoReplicas();
  let gatehouse: TestApp;
  let a: ServerProcess;
  let b: ServerProcess;
  beforeAll(() => {
    ({ gatehouse, a, b } = both);
  });

  it(`refuse a key on the very next request after it was revoked through the other, ${ROUNDS} times out of ${ROUNDS}`, async () => {
    const admin = await gatehouse.createKey(await gatehouse.createTenant('rounds'));
    expect(await revokeInRounds({ a, b, admin, rounds: ROUNDS })).toEqual([[401, ROUNDS]]);
  }, 60_000);

  it('refuse every key of a revoked tenant, also those being created at that moment', async () => {
    for (let round = 0; round < TENANTS; round++) {
      const tenant = await gatehouse.createTenant(`revoked-${round}`);
      const admin = await gatehouse.createKey(tenant);
      const { minted, ended } = mintUntilRefused(admin);
      await until(() => minted.length >= 20);

      await revoke(tenant.id);
      const before = [admin, ...minted];
      for (const server of [a, b]) {
        const next = await Promise.all(before.map(({ secret }) => statusOf(server, secret)));
        expect(next).toEqual(before.map(() => 401));
      }

      await ended;
      for (const server of [a, b]) {
        const all = await Promise.all(minted.map(({ secret }) => statusOf(server, secret)));
        expect(all).toEqual(minted.map(() => 401));
      }
      expect(await issuedAfter(tenant, tenant.id)).toEqual([]);
      // It is what was issued that ended, not the tenant.
      const later = await gatehouse.createKey(tenant);
      expect([await statusOf(a, later.secret), await statusOf(b, later.secret)]).toEqual([
        200, 200,
      ]);
    }
  }, 60_000);

  it('create no key for a key that was revoked during the request', async () => {
    for (let round = 0; round < TENANTS; round++) {
      const tenant = await gatehouse.createTenant(`minter-${round}`);
      const other = await gatehouse.createKey(tenant);
      const minter = await gatehouse.createKey(tenant);
      const { minted, ended } = mintUntilRefused(minter);
      await until(() => minted.length >= 20);

      const path = `/api/v1/api-keys/${minter.id}`;
      const body = { confirm: 'A key' };
      expect((await a.send('DELETE', path, { key: other.secret, body })).status).toBe(204);
      await ended;
      expect(await issuedAfter(tenant, minter.id)).toEqual([]);
    }
  }, 60_000);

  /** Mints on both servers at once, for as long as the minting key is good. */
  function mintUntilRefused(by: TestKey): { minted: Minted[]; ended: Promise<unknown> } {
    const minted: Minted[] = [];
    const work = async (server: ServerProcess) => {
      for (;;) {
        const body = ONE_KEY;
        const answer = await server.send('POST', '/api/v1/api-keys', { key: by.secret, body });
        if (answer.status === 401) return;
        expect(answer.status).toBe(201);
        const { id = '', key = '' } = answer.json.data ?? {};
        minted.push({ id: String(id), secret: key });
      }
    };
    const minters = Array.from({ length: MINTERS }, () => [work(a), work(b)]);
    return { minted, ended: Promise.all(minters.flat()) };
  }

  function revoke(subject: string): Promise<void> {
    return gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(subject, 'operator', null),
    );
  }

  /** Keys of the tenant whose place in the order of things is after the revocation of a subject. */
  async function issuedAfter(tenant: Tenant, subject: string): Promise<unknown[]> {
    return gatehouse.database.query(
      `SELECT c.id FROM credentials c JOIN revocations r ON r.subject = $2
       WHERE c.tenant_id = $1 AND c.issue_seq > r.seq`,
      [tenant.id, subject],
    );
  }
});
