import { beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import { createRevocationStore } from '../../../src/credentials/revocation/revocation-store.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { type TestKey } from '../../support/app/app.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

describe('revoking a subject', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  beforeEach(async () => {
    await gatehouse.database.shiftClock('0');
    tenant = await gatehouse.createTenant(`tenant-${randomUUID()}`);
  });

  const revoke = (subject: string) =>
    gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(subject, 'operator', 'test'),
    );
  const statusOf = async (key: TestKey) =>
    (await gatehouse.http.get('/api/v1/me').set(key.bearer)).status;

  it('ends everything issued under it before, and nothing else', async () => {
    const keys = [await gatehouse.createKey(tenant), await gatehouse.createKey(tenant)];
    const stranger = await gatehouse.createKey(await gatehouse.createTenant(randomUUID()));

    await revoke(tenant.id);

    expect(await Promise.all(keys.map(statusOf))).toEqual([401, 401]);
    expect(await statusOf(stranger)).toBe(200);
  });

  it('leaves later credentials valid under any clock', async () => {
    await gatehouse.database.shiftClock('1 hour');
    await revoke(tenant.id);
    await gatehouse.database.shiftClock('0');

    expect(await statusOf(await gatehouse.createKey(tenant))).toBe(200);
  });

  it('ends what was issued by a clock that was ahead', async () => {
    await gatehouse.database.shiftClock('1 hour');
    const key = await gatehouse.createKey(tenant);
    await gatehouse.database.shiftClock('0');

    await revoke(tenant.id);

    expect(await statusOf(key)).toBe(401);
  });

  it('cannot be altered or undone', async () => {
    const key = await gatehouse.createKey(tenant);
    await revoke(key.id);

    const undo = gatehouse.database.query('UPDATE revocations SET seq = 0 WHERE subject = $1', [
      key.id,
    ]);

    await expect(undo).rejects.toThrow('append-only');
    expect(await statusOf(key)).toBe(401);
  });

  it('is kept until what it ended has expired', async () => {
    const remove = (subject: string) =>
      gatehouse.database.query('DELETE FROM revocations WHERE subject = $1 RETURNING subject', [
        subject,
      ]);
    const key = await gatehouse.createKey(tenant);
    const kept = [key.id, tenant.id, `usr_1@${tenant.id}`, 'usr_1', 'cli_1', 'grtx', 'tok'];
    for (const subject of [...kept, 'grt_1', 'tok_1']) await revoke(subject);

    for (const subject of kept) await expect(remove(subject)).rejects.toThrow('append-only');
    expect(await remove('grt_1')).toHaveLength(1);
    expect(await remove('tok_1')).toHaveLength(1);
    const emptied = gatehouse.database.query('TRUNCATE revocations');
    await expect(emptied).rejects.toThrow('append-only');
    expect(await statusOf(key)).toBe(401);
  });

  it('waits for a transaction that issues under it, and ends its credential', async () => {
    const issuing = gatehouse.dataSource.createQueryRunner();
    await issuing.startTransaction();
    const seq = await createRevocationStore(issuing.manager).drawIssueOrder([tenant.id]);
    const revoking = revoke(tenant.id);
    await issuing.commitTransaction();
    await issuing.release();
    await revoking;

    const rows = await gatehouse.database.query<{ seq: string }>(
      'SELECT seq FROM revocations WHERE subject = $1',
      [tenant.id],
    );
    expect(Number(rows[0]?.seq)).toBeGreaterThan(Number(seq));
  });
});
