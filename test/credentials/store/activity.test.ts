import { beforeAll, describe, expect, it } from '@jest/globals';

import { createKeyService } from '../../../src/api-keys/key-service.js';
import { newKey } from '../../../src/api-keys/key-schema.js';
import { OPERATOR } from '../../../src/audit/audit-log.js';
import { createKeyring } from '../../../src/credentials/secrets/keyring.js';
import { assertSecretKeysPresent } from '../../../src/server/secret-key-usage.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';
import { until } from '../../support/app/until.js';

const OLD = 'the old secret key that is to be retired';
const NEW = 'the new secret key that is to take over';

describe('pending writes of verification', () => {
  const gatehouse = useGatehouse({ SECRET_KEYS: `${NEW},${OLD}` });
  let tenant: Tenant;
  const retiring = createKeyring([OLD]);
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
  });

  /** A key from the time when the old secret key was the only one. */
  const createOldKey = () =>
    gatehouse.dataSource.transaction((manager) =>
      createKeyService({
        manager,
        keyring: retiring,
        format: gatehouse.format,
        defaultRateLimit: 0,
      }).create(
        { actor: OPERATOR, tenantId: tenant.id },
        newKey.parse({ name: 'Old', scopes: ['contacts:read'] }),
      ),
    );
  const use = (secret: string) => gatehouse.http.get('/api/v1/me').set('X-API-Key', secret);
  const keyIdOf = async (id: string) => {
    const [row] = await gatehouse.database.query<{ digest_key_id: string }>(
      'SELECT digest_key_id FROM credentials WHERE id = $1',
      [id],
    );
    return row?.digest_key_id;
  };
  const useOf = (id: string) =>
    gatehouse.database.query<{ address: string; used_at: Date }>(
      'SELECT address, used_at FROM credential_uses WHERE credential_id = $1',
      [id],
    );

  it('move the digest of a used key to the newest secret key', async () => {
    const { key, secret } = await createOldKey();
    expect(await keyIdOf(key.id)).toBe(retiring.currentId);

    await use(secret).expect(200);
    await gatehouse.app.activity.flush();

    expect(await keyIdOf(key.id)).toBe(gatehouse.keyring.currentId);
    await use(secret).expect(200);
  });

  it('keep the old secret key required while a key depends on it', async () => {
    const { dataSource, keyring } = gatehouse;
    const { key, secret } = await createOldKey();
    const without = createKeyring([NEW]);
    expect(without.currentId).toBe(keyring.currentId);
    await expect(assertSecretKeysPresent(dataSource, without)).rejects.toThrow(retiring.currentId);

    await use(secret).expect(200);
    await gatehouse.app.activity.flush();

    expect(await keyIdOf(key.id)).toBe(keyring.currentId);
    await expect(assertSecretKeysPresent(dataSource, without)).resolves.toBeUndefined();
  });

  it('are written in the order of ids, so that two replicas cannot deadlock', async () => {
    const { app, database, dataSource } = gatehouse;
    const first = await createOldKey();
    const second = await createOldKey();
    // Now the first is behind the second in the table, which the plan is made to read in its own order.
    await database.query('UPDATE credentials SET name = $2 WHERE id = $1', [first.key.id, 'Moved']);
    for (const setting of ['enable_nestloop', 'enable_mergejoin', 'enable_indexscan']) {
      await database.query(`ALTER DATABASE ${database.target.database} SET ${setting} = off`);
    }
    await dataSource.destroy();
    await dataSource.initialize();
    const other = dataSource.createQueryRunner();
    await other.startTransaction();
    // In a way that lets last use, which refers to the credential, be written.
    const lock = ({ key }: typeof first) =>
      other.query('SELECT FROM credentials WHERE id = $1 FOR NO KEY UPDATE NOWAIT', [key.id]);
    await lock(first);

    await use(first.secret).expect(200);
    await use(second.secret).expect(200);
    const flushed = app.activity.flush();
    await until(async () => {
      const waiting = await database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.length === 1;
    });
    await expect(lock(second)).resolves.toBeDefined();

    await other.commitTransaction();
    await other.release();
    await flushed;
    expect(await keyIdOf(first.key.id)).toBe(gatehouse.keyring.currentId);
    expect(await keyIdOf(second.key.id)).toBe(gatehouse.keyring.currentId);
  });

  it('store nothing before a flush, and the latest use at a flush', async () => {
    const key = await gatehouse.createKey(tenant);
    await use(key.secret);
    await use(key.secret);
    expect(await useOf(key.id)).toEqual([]);

    await gatehouse.app.activity.flush();

    expect(await useOf(key.id)).toEqual([{ address: '127.0.0.1', used_at: expect.any(Date) }]);
  });

  it('are kept while the database is away, and written at the next flush', async () => {
    const key = await gatehouse.createKey(tenant);
    const revoked = await gatehouse.createKey(tenant);
    const admin = await gatehouse.createKey(tenant);
    await gatehouse.http.delete(`/api/v1/api-keys/${revoked.id}`).set(admin.bearer).expect(204);
    await use(key.secret).expect(200);
    await use(revoked.secret).expect(401);
    await gatehouse.database.lock();
    await gatehouse.app.activity.flush();
    await gatehouse.database.unlock();

    await gatehouse.app.activity.flush();

    expect(await useOf(key.id)).toHaveLength(1);
    const refusals = await gatehouse.database.query(
      `SELECT occurrences FROM audit_log WHERE subject = $1 AND action = 'credential.refused'`,
      [revoked.id],
    );
    expect(refusals).toEqual([{ occurrences: 1 }]);
  });
});
