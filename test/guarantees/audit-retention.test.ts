import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Registry } from 'prom-client';

import { runCleanup } from '../../src/server/cleanup.js';
import { createActivityRecorder } from '../../src/credentials/store/activity.js';
import { createBackgroundWork } from '../../src/db/background-work.js';
import { migrate } from '../../src/db/migrate.js';
import { createLog } from '../../src/server/log.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { downTo, openForMigrating, QUIET } from '../support/process/releases.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const DAY_MINUTES = 24 * 60;

describe('the audit log', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const subjects = async () => {
    const rows = await gatehouse.database.query<{ subject: string }>(
      `SELECT subject FROM audit_log WHERE action = 'test' ORDER BY id`,
    );
    return rows.map(({ subject }) => subject);
  };
  const write = (subject: string) =>
    gatehouse.database.query(
      `INSERT INTO audit_log (actor, action, subject) VALUES ('x', 'test', $1)`,
      [subject],
    );
  const cleanUp = (auditRetentionDays: number) =>
    runCleanup(gatehouse.dataSource, new AbortController().signal, { auditRetentionDays });

  it('keeps its rows, ids and rules when it is partitioned and back', async () => {
    await downTo(gatehouse.database, 'ImportedPatterns1764140000000');
    await write('before');
    await gatehouse.database.query(
      `INSERT INTO audit_log (actor, action, subject, occurrences, coalesced_by)
       VALUES ('x', 'test', 'counted', 7, 'x y 1')`,
    );
    const old = await gatehouse.database.query('SELECT * FROM audit_log ORDER BY id');

    const dataSource = await openForMigrating(gatehouse.database);
    await migrate(dataSource, { log: QUIET });
    // A later migration orders entries by transaction; earlier entries have none.
    expect(await gatehouse.database.query('SELECT * FROM audit_log ORDER BY id')).toEqual(
      old.map((entry) => Object.assign(entry, { xid: '0' })),
    );
    const [table] = await gatehouse.database.query(
      `SELECT relkind FROM pg_class WHERE oid = 'audit_log'::regclass`,
    );
    expect(table).toEqual({ relkind: 'p' });
    await write('after');
    expect(await subjects()).toEqual(['before', 'counted', 'after']);

    await downTo(gatehouse.database, 'ImportedPatterns1764140000000');
    await write('back');
    await migrate(dataSource, { log: QUIET });
    await dataSource.destroy();
    expect(await subjects()).toEqual(['before', 'counted', 'after', 'back']);
  });

  it('refuses changes in each partition too', async () => {
    await cleanUp(365);
    await gatehouse.database.query(
      `INSERT INTO audit_log (actor, action, subject, at)
       VALUES ('x', 'test', 'ahead', gatehouse_now() + interval '200 days')`,
    );
    const [row] = await gatehouse.database.query<{ name: string }>(
      `SELECT tableoid::regclass::text AS name FROM audit_log WHERE subject = 'ahead'`,
    );
    for (const table of ['audit_log', row?.name ?? '']) {
      for (const statement of [
        `UPDATE ${table} SET actor = 'nobody'`,
        `UPDATE ${table} SET occurrences = occurrences - 1`,
        `DELETE FROM ${table}`,
      ]) {
        await expect(gatehouse.database.query(statement)).rejects.toThrow();
      }
    }
    await expect(gatehouse.database.query('TRUNCATE audit_log')).rejects.toThrow();
  });

  it('gets one entry a minute, after a day one an hour, for a credential that is refused repeatedly', async () => {
    const { id } = await gatehouse.createKey(tenant);
    const recorder = createActivityRecorder({
      dataSource: gatehouse.dataSource,
      keyring: gatehouse.keyring,
      log: createLog({ level: 'silent', brand: 'bwp' }),
      work: createBackgroundWork(new Registry()),
    });
    const began = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3 * DAY_MINUTES * 60_000;
    const now = jest.spyOn(Date, 'now');
    const principal = { credentialId: id, tenantId: tenant.id };
    for (let minute = 0; minute < 3 * DAY_MINUTES; minute++) {
      now.mockReturnValue(began + minute * 60_000);
      recorder.noteRefusal(principal, 'revoked', '192.0.2.1');
      if (minute % 60 === 59) await recorder.flush();
    }
    now.mockRestore();

    const entries = await gatehouse.database.query<{ occurrences: number; at: Date }>(
      'SELECT occurrences, at FROM audit_log WHERE subject = $1 AND action = $2 ORDER BY at',
      [id, 'credential.refused'],
    );
    expect(entries.length).toBeLessThanOrEqual(DAY_MINUTES + 60 + 48);
    expect(entries.reduce((sum, { occurrences }) => sum + occurrences, 0)).toBe(3 * DAY_MINUTES);
    expect(entries[0]?.at.getTime()).toBe(began);
    expect(
      entries
        .slice(-40)
        .every(({ at, occurrences }) => at.getTime() % 3_600_000 === 0 && occurrences === 60),
    ).toBe(true);
  });

  it('drops entries older than its retention only', async () => {
    await write('day 0');
    for (let day = 20; day <= 240; day += 20) {
      await gatehouse.database.shiftClock(`${day} days`);
      await cleanUp(90);
      await write(`day ${day}`);
    }

    const kept = await subjects();
    expect(kept).not.toContain('day 0');
    for (const day of [160, 180, 200, 220, 240]) expect(kept).toContain(`day ${day}`);
    for (const day of [20, 40, 60, 80, 100]) expect(kept).not.toContain(`day ${day}`);
  });
});
