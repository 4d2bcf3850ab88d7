import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';
import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import { createTestApp, type TestApp, type TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { statusOf as tokenStatus } from '../support/oauth/token-families.js';

type Tenant = Awaited<ReturnType<TestApp['createTenant']>>;

describe('the cleanup of ended credentials', () => {
  let gatehouse: TestApp;
  let tenant: Tenant;
  beforeEach(async () => {
    gatehouse = await createTestApp();
    tenant = await gatehouse.createTenant('acme');
  });
  afterEach(() => gatehouse.close());

  const revoke = (subject: string) =>
    gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(subject, 'test', null),
    );
  const cleanUpAfter = async (days: number) => {
    await gatehouse.database.shiftClock(`${days} days`);
    await runCleanup(gatehouse.dataSource, new AbortController().signal);
  };
  const column = async (sql: string, values: unknown[] = []) => {
    const rows = await gatehouse.database.query<{ value: string }>(`${sql} ORDER BY 1`, values);
    return rows.map(({ value }) => value);
  };
  const credentials = () => column('SELECT id AS value FROM credentials');
  const uses = () => column('SELECT credential_id AS value FROM credential_uses');
  const revoked = () => column('SELECT subject AS value FROM revocations');
  const statusOf = async ({ bearer }: Pick<TestKey, 'bearer'>) =>
    (await gatehouse.http.get('/api/v1/me').set(bearer)).status;
  const createToken = () => createCredential(gatehouse, tenant, 'personal', ['contacts:read']);
  const use = async (...used: Pick<TestKey, 'bearer'>[]) => {
    for (const each of used) expect(await statusOf(each)).toBe(200);
    await gatehouse.app.activity.flush();
  };
  const sorted = (...values: string[]) => values.toSorted();

  it('deletes a personal token 90 days after its end, and the token stays refused', async () => {
    const [alive, ended, expired, late] = [
      await createToken(),
      await createToken(),
      await createToken(),
      await createToken(),
    ] as const;
    await use(alive, ended, expired, late);
    await revoke(ended.id);
    await gatehouse.database.query(
      `UPDATE credentials SET expires_at = gatehouse_now() WHERE id = ANY ($1)`,
      [[expired.id, late.id]],
    );
    await cleanUpAfter(60);
    // It had expired already.
    await revoke(late.id);
    await cleanUpAfter(89);
    expect(await credentials()).toEqual(sorted(alive.id, ended.id, expired.id, late.id));
    expect(await revoked()).toEqual(sorted(ended.id, late.id));

    await cleanUpAfter(91);
    expect(await credentials()).toEqual(sorted(alive.id, late.id));
    expect(await uses()).toEqual(sorted(alive.id, late.id));
    expect(await revoked()).toEqual([late.id]);
    await cleanUpAfter(151);
    expect(await credentials()).toEqual([alive.id]);
    expect(await revoked()).toEqual([]);

    await gatehouse.database.shiftClock('0');
    expect(await statusOf(alive)).toBe(200);
    for (const gone of [ended, expired, late]) expect(await statusOf(gone)).toBe(401);
  });

  it('deletes the revocation of a removed membership after its personal tokens', async () => {
    const token = await createToken();
    const member = `${token.principalId}@${tenant.id}`;
    await gatehouse.database.query(`DELETE FROM memberships WHERE account_id = $1`, [
      token.principalId,
    ]);
    await revoke(member);
    await cleanUpAfter(89);
    expect([await credentials(), await revoked()]).toEqual([[token.id], [member]]);
    await cleanUpAfter(99);
    expect([await credentials(), await revoked()]).toEqual([[], [member]]);
    await cleanUpAfter(101);
    expect(await revoked()).toEqual([]);

    await gatehouse.database.shiftClock('0');
    await gatehouse.database.query(
      `INSERT INTO memberships (account_id, tenant_id, role) VALUES ($1, $2, 'company_admin')`,
      [token.principalId, tenant.id],
    );
    expect(await statusOf(token)).toBe(401);
  });

  it('keeps a revoked key listed, and deletes its last use after a year', async () => {
    const alive = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });
    const ended = await gatehouse.createKey(tenant);
    await use(alive, ended);
    await revoke(ended.id);
    await cleanUpAfter(364);
    expect(await uses()).toEqual(sorted(alive.id, ended.id));

    await cleanUpAfter(366);
    expect(await uses()).toEqual([alive.id]);
    expect(await revoked()).toEqual([ended.id]);
    const { body } = await gatehouse.http.get(`/api/v1/api-keys/${ended.id}`).set(alive.bearer);
    expect(body.data).toMatchObject({ status: 'revoked', lastUsedAt: null });
    expect(await statusOf(ended)).toBe(401);
  });

  it('keeps one revocation of a subject that is revoked repeatedly', async () => {
    const key = await gatehouse.createKey(tenant);
    for (let count = 0; count < 3; count++) await revoke(tenant.id);
    expect(await revoked()).toEqual([tenant.id]);
    expect(await statusOf(key)).toBe(401);
  });

  it('deletes the revocation of a deleted client after 100 days', async () => {
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const [kept, gone] = [await registerClient(gatehouse), await registerClient(gatehouse)];
    const tokens = await getTokens(gatehouse, { client: gone, user });
    for (const subject of [kept, gone]) await revoke(subject.client_id);
    await revoke(`${gone.client_id}@${tenant.id}`);
    await gatehouse.database.query(`UPDATE clients SET is_verified = true WHERE id = $1`, [
      kept.client_id,
    ]);
    await gatehouse.database.query(`DELETE FROM clients WHERE id = $1`, [gone.client_id]);
    await cleanUpAfter(99);
    expect(await revoked()).toHaveLength(3);
    await cleanUpAfter(101);
    expect(await revoked()).toEqual([kept.client_id]);
    await gatehouse.database.shiftClock('0');
    expect(await tokenStatus(gatehouse, tokens.access_token)).toBe(401);
  });

  it('keeps a revocation that is needed at any age', async () => {
    const token = await createToken();
    const key = await gatehouse.createKey(tenant);
    const client = await registerClient(gatehouse);
    const subjects = [key.id, token.id, token.principalId, tenant.id, client.client_id];
    for (const subject of [...subjects, `${client.client_id}@${tenant.id}`]) await revoke(subject);
    await revoke(`${token.principalId}@${tenant.id}`);
    await gatehouse.database.shiftClock('1000 days');
    for (const subject of await revoked()) {
      const deleted = gatehouse.database.query('DELETE FROM revocations WHERE subject = $1', [
        subject,
      ]);
      await expect(deleted).rejects.toThrow('append-only');
    }
  });

  it('deletes more rows than one batch holds', async () => {
    const token = await createToken();
    await gatehouse.database.query(
      `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id, digest,
         digest_key_id, masked_key, subjects, issue_seq, created_by, expires_at)
       SELECT 'key_' || n, tenant_id, kind, environment, name, scopes, principal_kind, principal_id, n, digest_key_id,
         '', ARRAY['key_' || n], nextval('issue_order'), '', gatehouse_now()
       FROM credentials, generate_series(1, 2500) n WHERE id = $1`,
      [token.id],
    );
    await gatehouse.database.query(
      `INSERT INTO revocations (subject, seq, revoked_by, revoked_at)
       SELECT prefix || n, n, '', gatehouse_now() FROM generate_series(1, 2500) n,
         unnest(ARRAY['cli_', 'usr_', 'usr_1@tnt_']) AS prefix`,
    );
    await cleanUpAfter(101);
    expect([await credentials(), await revoked()]).toEqual([[token.id], []]);
  });
});
