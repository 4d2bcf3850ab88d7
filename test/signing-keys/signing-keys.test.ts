import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { calculateJwkThumbprint, importJWK, jwtVerify, SignJWT } from 'jose';

import { createKeyring } from '../../src/credentials/keyring.js';
import {
  createSigningKeyStore,
  forgetEndedKeys,
  type Rotation,
} from '../../src/signing-keys/signing-key-store.js';
import { createSigningKeys, type SigningKeys } from '../../src/signing-keys/signing-keys.js';
import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app.js';
import { until } from '../support/until.js';

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
  const rotate = (): Promise<Rotation> =>
    gatehouse.dataSource.transaction((manager) =>
      createSigningKeyStore(manager, gatehouse.keyring).rotate(),
    );
  const serverWith = (...secretKeys: string[]): SigningKeys =>
    createSigningKeys({ dataSource: gatehouse.dataSource, keyring: createKeyring(secretKeys) });
  const published = (keys: SigningKeys) => keys.current().jwks.keys.map(({ kid }) => kid);
  const signing = (keys: SigningKeys) => keys.current().signing.map(({ kid }) => kid);

  it('start with one that signs at once, however many servers start together', async () => {
    await Promise.all(Array.from({ length: 5 }, ensure));
    const keys = serverWith(TEST_SECRET_KEY);

    expect(await keys.refresh()).toBe(true);
    expect(published(keys)).toHaveLength(1);
    expect(signing(keys)).toEqual(published(keys));
  });

  it('are ES256 keys named by their thumbprint, and what they sign can be verified by what is published', async () => {
    await ensure();
    const keys = serverWith(TEST_SECRET_KEY);
    await keys.refresh();
    const [privateJwk] = keys.current().signing;
    const [publicJwk] = keys.current().jwks.keys;
    if (privateJwk === undefined || publicJwk === undefined) throw new Error('no key');

    expect(publicJwk).toEqual({
      ...{ kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String) },
      ...{ kid: await calculateJwkThumbprint(publicJwk), alg: 'ES256', use: 'sig' },
    });
    const jwt = await new SignJWT({ sub: 'usr_1' })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(await importJWK(privateJwk, 'ES256'));
    const { payload } = await jwtVerify(jwt, await importJWK(publicJwk, 'ES256'));
    expect(payload.sub).toBe('usr_1');
    expect(await gatehouse.database.dump()).not.toContain(privateJwk['d']);
  });

  it('are published an hour before they sign, and until the last token has expired', async () => {
    await ensure();
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
    await forgetEndedKeys(gatehouse.dataSource.manager);

    await gatehouse.database.shiftClock('2 hours 6 minutes');
    expect(await keys.refresh()).toBe(true);
    expect([published(keys), signing(keys)]).toEqual([[key.id], [key.id]]);
    await forgetEndedKeys(gatehouse.dataSource.manager);
    expect(await gatehouse.database.query('SELECT id FROM signing_keys')).toEqual([{ id: key.id }]);
  });

  it('cannot be rotated again before the last rotation took effect', async () => {
    await ensure();
    const runner = gatehouse.dataSource.createQueryRunner();
    await runner.startTransaction();
    const first = await createSigningKeyStore(runner.manager, gatehouse.keyring).rotate();
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
    await ensure();
    const servers = [serverWith(TEST_SECRET_KEY), serverWith(TEST_SECRET_KEY)] as const;
    for (const server of servers) await server.refresh();
    const before = servers[0].current();
    expect(servers[1].current()).toEqual(before);
    await rotate();
    for (const server of servers) await server.refresh();

    expect(before.jwks.keys).toHaveLength(1);
    expect(servers[0].current()).toEqual(servers[1].current());
    expect(servers[0].current().id).not.toBe(before.id);
  });

  it('move to the current secret key, so that the old one can go', async () => {
    await ensure();
    await rotate();
    const during = serverWith(OTHER_SECRET_KEY, TEST_SECRET_KEY);
    await during.refresh();

    const after = serverWith(OTHER_SECRET_KEY);
    await after.refresh();
    expect(after.current()).toEqual(during.current());
    await expect(serverWith(TEST_SECRET_KEY).refresh()).rejects.toThrow('not configured');
  });

  it('cannot be passed off as each other', async () => {
    await ensure();
    await rotate();
    await gatehouse.database.query(
      `UPDATE signing_keys k SET ciphertext = other.ciphertext FROM signing_keys other WHERE other.id <> k.id`,
    );

    await expect(serverWith(TEST_SECRET_KEY).refresh()).rejects.toThrow();
  });

  it('tell whoever wants to know of each change, once', async () => {
    const { dataSource, keyring } = gatehouse;
    await ensure();
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
