import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Entry {
  readonly tenant_id: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: Record<string, unknown>;
  readonly address: string | null;
  readonly request_id: string | null;
  readonly occurrences: number;
}

describe('the audit log of keys', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });

  const entriesOf = (subject: string) =>
    gatehouse.database.query<Entry & Record<string, unknown>>(
      `SELECT tenant_id, actor, action, subject, details, address, request_id, occurrences
       FROM audit_log WHERE subject = $1 ORDER BY id`,
      [subject],
    );
  const create = () => gatehouse.createKey(tenant, { name: 'Sync', scopes: ['contacts:read'] });
  const byAdmin = () => ({
    tenant_id: tenant.id,
    actor: admin.id,
    address: '127.0.0.1',
    occurrences: 1,
  });

  it('records the actor, address and request of a creation', async () => {
    const body = { name: 'Sync', scopes: ['contacts:read'], environment: 'test' };
    const answer = await gatehouse.http.post('/api/v1/api-keys').set(admin.bearer).send(body);

    expect(await entriesOf(answer.body.data.id)).toEqual([
      {
        ...byAdmin(),
        action: 'api_key.create',
        subject: answer.body.data.id,
        request_id: answer.body.meta.request_id,
        details: { ...body, kind: 'secret' },
      },
    ]);
  });

  it('records the operator’s actions', async () => {
    const key = await create();

    expect(await entriesOf(key.id)).toMatchObject([
      { action: 'api_key.create', actor: 'operator', address: null, request_id: null },
    ]);
  });

  it('records old and new values of a change', async () => {
    const key = await create();
    await gatehouse.http
      .patch(`/api/v1/api-keys/${key.id}`)
      .set(admin.bearer)
      .send({ name: 'Import', rateLimitPerMinute: 5 })
      .expect(200);

    const [, entry] = await entriesOf(key.id);

    expect(entry).toMatchObject({ ...byAdmin(), action: 'api_key.update' });
    expect(entry?.details).toEqual({
      before: { name: 'Sync', rateLimitPerMinute: null },
      after: { name: 'Import', rateLimitPerMinute: 5 },
    });
  });

  it('records the successor of a rotated key', async () => {
    const key = await create();
    const fresh = await gatehouse.http
      .post(`/api/v1/api-keys/${key.id}/rotate`)
      .set(admin.bearer)
      .send({ graceSeconds: 60 })
      .expect(201);

    const [, entry] = await entriesOf(key.id);

    expect(entry).toMatchObject({ ...byAdmin(), action: 'api_key.rotate' });
    expect(entry?.details).toEqual({ replacedBy: fresh.body.data.id, graceSeconds: 60 });
  });

  it('records a refused attempt to exceed a key’s own authority', async () => {
    const weak = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });
    const body = { name: 'Wide', scopes: ['contacts:delete'] };
    await gatehouse.http.post('/api/v1/api-keys').set(weak.bearer).send(body).expect(403);
    await gatehouse.app.activity.flush();

    expect(await entriesOf(weak.id)).toMatchObject([
      { action: 'api_key.create' },
      { action: 'credential.refused', details: { reason: 'forbidden' } },
    ]);
  });

  it('records a revocation once', async () => {
    const key = await create();
    const revoke = () => gatehouse.http.delete(`/api/v1/api-keys/${key.id}`).set(admin.bearer);
    await revoke().expect(204);
    await revoke().expect(204);

    const [, ...entries] = await entriesOf(key.id);

    expect(entries).toMatchObject([{ ...byAdmin(), action: 'api_key.revoke' }]);
  });

  it('records no change that was refused', async () => {
    const key = await create();
    const path = `/api/v1/api-keys/${key.id}`;
    await gatehouse.http.patch(path).set(admin.bearer).send({ name: '' }).expect(422);
    await gatehouse.http.delete(path).set(admin.bearer).send({ confirm: 'x' }).expect(409);
    await gatehouse.http.post(`${path}/rotate`).set(admin.bearer).send({ x: 1 }).expect(422);

    expect(await entriesOf(key.id)).toHaveLength(1);
  });

  it('counts refused uses of a known key by reason, also over several flushes', async () => {
    const key = await create();
    const use = () => gatehouse.http.get('/api/v1/me').set(key.bearer);
    await gatehouse.http.delete(`/api/v1/api-keys/${key.id}`).set(admin.bearer).expect(204);
    await Promise.all([use(), use(), use()]);
    await gatehouse.app.activity.flush();
    await Promise.all([use(), use()]);
    await gatehouse.app.activity.flush();

    const refusals = (await entriesOf(key.id)).filter(
      ({ action }) => action === 'credential.refused',
    );

    // One entry a minute, and the minute may have ended in between.
    expect(refusals.length).toBeLessThanOrEqual(2);
    expect(refusals.reduce((sum, { occurrences }) => sum + occurrences, 0)).toBe(5);
    expect(refusals[0]).toMatchObject({
      tenant_id: tenant.id,
      actor: key.id,
      address: '127.0.0.1',
      details: { reason: 'revoked' },
    });
  });

  it('distinguishes a wrong address, a missing scope and an expired key', async () => {
    const elsewhere = await gatehouse.createKey(tenant, { allowedIps: ['192.0.2.1'] });
    const reader = await create();
    await gatehouse.http.get('/api/v1/me').set(elsewhere.bearer).expect(401);
    await gatehouse.http.get('/api/v1/api-keys').set(reader.bearer).expect(403);
    await gatehouse.app.activity.flush();

    const reasonOf = async ({ id }: TestKey) => (await entriesOf(id)).at(-1)?.details;

    expect(await reasonOf(elsewhere)).toEqual({ reason: 'address_not_allowed' });
    expect(await reasonOf(reader)).toEqual({ reason: 'scope_insufficient' });
  });

  it('cannot be changed or deleted', async () => {
    const key = await create();
    for (const sql of [
      `UPDATE audit_log SET actor = 'nobody' WHERE subject = $1`,
      `UPDATE audit_log SET occurrences = occurrences - 1 WHERE subject = $1`,
      `DELETE FROM audit_log WHERE subject = $1`,
    ]) {
      await expect(gatehouse.database.query(sql, [key.id])).rejects.toThrow('append-only');
    }
    const emptied = gatehouse.database.query('TRUNCATE audit_log');
    await expect(emptied).rejects.toThrow('append-only');
  });
});
