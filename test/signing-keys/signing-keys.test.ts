import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { calculateJwkThumbprint, importJWK, jwtVerify, SignJWT, type JWK } from 'jose';

import { createKeyring } from '../../src/credentials/secrets/keyring.js';
import {
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from '../../src/credentials/secrets/signing-algorithms.js';
import {
  createSigningKeyStore,
  deleteEndedKeys,
  type Rotation,
} from '../../src/signing-keys/signing-key-store.js';
import { createSigningKeys, type SigningKeys } from '../../src/signing-keys/signing-keys.js';
import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { until } from '../support/app/until.js';

const OTHER_SECRET_KEY = 'another secret key that is only for tests';

describe('signing keys', () => {
  let gatehouse: TestApp;
  beforeEach(async () => {
    gatehouse = await createTestApp();
  });
  afterEach(() => gatehouse.close());

  const ensure = () =>
    gatehouse.dataSource.transaction((manager) =>
      createSigningKeyStore(manager, gatehouse.keyring).ensure(),
    );
  const rotate = (algorithm: SigningAlgorithm = 'ES256'): Promise<Rotation> =>
    gatehouse.dataSource.transaction((manager) =>
      createSigningKeyStore(manager, gatehouse.keyring).rotate(algorithm),
    );
  const serverWith = (...secretKeys: string[]): SigningKeys =>
    createSigningKeys({ dataSource: gatehouse.dataSource, keyring: createKeyring(secretKeys) });
  const kidsOf = (keys: readonly JWK[], algorithm: SigningAlgorithm) =>
    keys.filter(({ alg }) => alg === algorithm).map(({ kid }) => kid);
  const published = (keys: SigningKeys, algorithm: SigningAlgorithm = 'ES256') =>
    kidsOf(keys.current().jwks.keys, algorithm);
  const signing = (keys: SigningKeys, algorithm: SigningAlgorithm = 'ES256') =>
    kidsOf(keys.current().signing, algorithm);

  it('start with one active key of each algorithm, also when several servers start at once', async () => {
    await gatehouse.database.query('DELETE FROM signing_keys');
    await Promise.all(Array.from({ length: 5 }, ensure));
    const keys = serverWith(TEST_SECRET_KEY);

    expect(await keys.refresh()).toBe(true);
    for (const algorithm of SIGNING_ALGORITHMS) {
      expect(published(keys, algorithm)).toHaveLength(1);
      expect(signing(keys, algorithm)).toEqual(published(keys, algorithm));
      expect(keys.signer(algorithm).kid).toBe(published(keys, algorithm)[0]);
    }
  });

  it('are named by their thumbprint and verify signatures', async () => {
    const keys = serverWith(TEST_SECRET_KEY);
    await keys.refresh();
    const dump = await gatehouse.database.dump();
    const shapes = {
      ES256: { kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String) },
      RS256: { kty: 'RSA', e: 'AQAB', n: expect.stringMatching(/^[\w-]{342}$/) },
    };
    for (const algorithm of SIGNING_ALGORITHMS) {
      const { key, kid } = keys.signer(algorithm);
      const publicJwk = keys.current().jwks.keys.find((jwk) => jwk.kid === kid) ?? {};

      expect(publicJwk).toEqual({
        ...shapes[algorithm],
        kid: await calculateJwkThumbprint(publicJwk),
        alg: algorithm,
        use: 'sig',
      });
      const jwt = await new SignJWT({ sub: 'usr_1' })
        .setProtectedHeader({ alg: algorithm })
        .sign(await importJWK(key, algorithm));
      const { payload } = await jwtVerify(jwt, await importJWK(publicJwk, algorithm));
      expect(payload.sub).toBe('usr_1');
      expect(key['d']).toEqual(expect.any(String));
      expect(dump).not.toContain(key['d']);
    }
  });

  it('are added to an installation with one algorithm, beside a replica that knows no other', async () => {
    const { database } = gatehouse;
    await database.query(`DELETE FROM signing_keys WHERE algorithm = 'RS256'`);
    const servers = [serverWith(TEST_SECRET_KEY), serverWith(TEST_SECRET_KEY)] as const;
    await Promise.all(servers.map((server) => server.refresh()));
    for (const server of servers) await server.refresh();

    expect(published(servers[0], 'RS256')).toHaveLength(1);
    expect(servers[0].current()).toEqual(servers[1].current());
    // The release before signs with the key that signs last, and can do so with ES256 only.
    const [latest] = await database.query(
      'SELECT algorithm FROM signing_keys ORDER BY signs_from DESC',
    );
    expect(latest).toEqual({ algorithm: 'ES256' });
  });

  it('are rotated one algorithm at a time', async () => {
    const keys = serverWith(TEST_SECRET_KEY);
    await keys.refresh();
    const before = keys.signer('ES256');
    const { key } = await rotate('RS256');
    await gatehouse.database.shiftClock('61 minutes');
    await keys.refresh();

    expect(keys.signer('RS256').kid).toBe(key.id);
    expect(signing(keys, 'RS256')).toHaveLength(2);
    expect(keys.signer('ES256')).toEqual(before);
    await gatehouse.database.shiftClock('3 hours');
    await keys.refresh();
    expect(published(keys, 'RS256')).toEqual([key.id]);
    expect(published(keys, 'ES256')).toEqual([before.kid]);
  });

  it('are published an hour before they sign, and until the last token has expired', async () => {
    const keys = serverWith(TEST_SECRET_KEY);
    await keys.refresh();
    const [old] = published(keys);

    const { outcome, key } = await rotate();
    expect(outcome).toBe('rotated');
    expect(await keys.refresh()).toBe(true);
    expect([published(keys), signing(keys)]).toEqual([[key.id, old], [old]]);

    await gatehouse.database.shiftClock('59 minutes');
    expect(await keys.refresh()).toBe(false);
    expect(signing(keys)).toEqual([old]);

    await gatehouse.database.shiftClock('61 minutes');
    expect(await keys.refresh()).toBe(true);
    expect([published(keys), signing(keys)]).toEqual([
      [key.id, old],
      [key.id, old],
    ]);

    await gatehouse.database.shiftClock('2 hours 4 minutes');
    expect(await keys.refresh()).toBe(false);
    await deleteEndedKeys(gatehouse.dataSource.manager);

    await gatehouse.database.shiftClock('2 hours 6 minutes');
    expect(await keys.refresh()).toBe(true);
    expect([published(keys), signing(keys)]).toEqual([[key.id], [key.id]]);
    await deleteEndedKeys(gatehouse.dataSource.manager);
    expect(
      await gatehouse.database.query(`SELECT id FROM signing_keys WHERE algorithm = 'ES256'`),
    ).toEqual([{ id: key.id }]);
  });

  it('cannot be rotated again before the last rotation took effect', async () => {
    const runner = gatehouse.dataSource.createQueryRunner();
    await runner.startTransaction();
    const first = await createSigningKeyStore(runner.manager, gatehouse.keyring).rotate('ES256');
    const second = rotate();
    await until(async () => {
      const sql = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`;
      return (await gatehouse.database.query(sql)).length > 0;
    });
    await runner.commitTransaction();
    await runner.release();
    expect(first.outcome).toBe('rotated');
    expect(await second).toMatchObject({ outcome: 'pending', key: { id: first.key.id } });

    await gatehouse.database.shiftClock('61 minutes');
    expect((await rotate()).outcome).toBe('rotated');
    await gatehouse.database.shiftClock('3 hours');
    const keys = serverWith(TEST_SECRET_KEY);
    await keys.refresh();
    expect(signing(keys)).toHaveLength(2);
  });

  it('are the same for every server, and a snapshot never changes', async () => {
    const servers = [serverWith(TEST_SECRET_KEY), serverWith(TEST_SECRET_KEY)] as const;
    for (const server of servers) await server.refresh();
    const before = servers[0].current();
    expect(servers[1].current()).toEqual(before);
    await rotate();
    for (const server of servers) await server.refresh();

    expect(before.jwks.keys).toHaveLength(2);
    expect(servers[0].current()).toEqual(servers[1].current());
    expect(servers[0].current().id).not.toBe(before.id);
  });

  it('move to the current secret key, so that the old one can be removed', async () => {
    await rotate();
    const during = serverWith(OTHER_SECRET_KEY, TEST_SECRET_KEY);
    await during.refresh();

    const after = serverWith(OTHER_SECRET_KEY);
    await after.refresh();
    expect(after.current()).toEqual(during.current());
    await expect(serverWith(TEST_SECRET_KEY).refresh()).rejects.toThrow('not configured');
  });

  it('cannot be swapped in the database', async () => {
    await rotate();
    await gatehouse.database.query(
      `UPDATE signing_keys k SET ciphertext = other.ciphertext FROM signing_keys other
       WHERE other.id <> k.id AND other.algorithm = k.algorithm`,
    );

    await expect(serverWith(TEST_SECRET_KEY).refresh()).rejects.toThrow();
  });

  it('notify every listener of each change once', async () => {
    const { dataSource, keyring } = gatehouse;
    const told: string[] = [];
    const keys = createSigningKeys({ dataSource, keyring, onChange: ({ id }) => told.push(id) });
    expect(() => keys.current()).toThrow();
    await keys.refresh();
    await keys.refresh();
    await rotate();
    await keys.refresh();

    expect(told).toHaveLength(2);
    expect(told.at(-1)).toBe(keys.current().id);
  });
});
