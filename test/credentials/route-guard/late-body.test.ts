import { beforeAll, describe, expect, it } from '@jest/globals';

import { createRevocationStore } from '../../../src/credentials/revocation/revocation-store.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { type TestKey } from '../../support/app/app.js';
import { createCredential } from '../../support/app/credentials.js';
import { finishRequest, openRequest } from '../../support/app/late-body.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

describe('a request whose body arrives late', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });

  it('is done if its credential is still good then', async () => {
    expect(
      await finishRequest(await openRequest(gatehouse, await gatehouse.createKey(tenant))),
    ).toBe(201);
  });

  it('is refused if its credential was revoked meanwhile', async () => {
    const key = await gatehouse.createKey(tenant);
    const sent = await openRequest(gatehouse, key);
    await gatehouse.http
      .delete(`/api/v1/api-keys/${key.id}`)
      .set(admin.bearer)
      .send({ confirm: 'A key' })
      .expect(204);

    expect(await finishRequest(sent)).toBe(401);
    const [row] = await gatehouse.database.query<{ count: string }>(
      `SELECT count(*) FROM contacts WHERE last_name = 'Late'`,
    );
    expect(Number(row?.count)).toBeLessThanOrEqual(1);
  });

  it('is noted once in the audit log if it is refused', async () => {
    const key = await gatehouse.createKey(tenant, { scopes: ['contacts:write'] });
    const sent = await openRequest(gatehouse, key);
    await gatehouse.http
      .delete(`/api/v1/api-keys/${key.id}`)
      .set(admin.bearer)
      .send({ confirm: 'A key' })
      .expect(204);
    await finishRequest(sent);
    await gatehouse.app.activity.flush();

    const entries = await gatehouse.database.query(
      `SELECT details, occurrences FROM audit_log
       WHERE subject = $1 AND action = 'credential.refused'`,
      [key.id],
    );
    expect(entries).toEqual([{ details: { reason: 'revoked' }, occurrences: 1 }]);
  });

  it('is refused if its tenant was suspended meanwhile', async () => {
    const other = await gatehouse.createTenant('other');
    const sent = await openRequest(gatehouse, await gatehouse.createKey(other));
    await gatehouse.database.query(`UPDATE tenants SET suspended_at = now() WHERE id = $1`, [
      other.id,
    ]);
    expect(await finishRequest(sent)).toBe(403);
  });

  it('gets no verdict if the service that asks was revoked meanwhile', async () => {
    const service = await createCredential(gatehouse, tenant, 'service', ['introspect']);
    const body = JSON.stringify({ credentials: [{ credential: admin.secret, cost: 0 }] });
    const open = () => openRequest(gatehouse, service, { path: '/api/v1/verify', body });
    expect(await finishRequest(await open(), body)).toBe(200);
    const sent = await open();
    await gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(service.id, 'operator', null),
    );
    expect(await finishRequest(sent, body)).toBe(401);
  });
});
