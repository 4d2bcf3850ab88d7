import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, type TestApp, type TestKey } from '../support/app.js';
import { until } from '../support/until.js';

const BODY = JSON.stringify({ lastName: 'Late', type: 'other' });

describe('a request whose body comes in later', () => {
  let gatehouse: TestApp;
  let tenant: Tenant;
  let admin: TestKey;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });
  afterAll(() => gatehouse.close());

  /** Sends the head and the first byte, and waits until the guard has admitted it. */
  async function open(key: TestKey): Promise<ClientRequest> {
    const before = await verdicts();
    const sent = request(`${gatehouse.origin}/api/v1/contacts`, {
      method: 'POST',
      headers: { ...key.bearer, 'Content-Type': 'application/json', 'Content-Length': BODY.length },
    });
    sent.write(BODY.slice(0, 1));
    await until(async () => (await verdicts()) > before);
    return sent;
  }

  async function verdicts(): Promise<number> {
    const metric = await gatehouse.register.getSingleMetric('gatehouse_verdicts_total')?.get();
    return metric?.values.find(({ labels }) => labels['verdict'] === 'accepted')?.value ?? 0;
  }

  async function finish(sent: ClientRequest): Promise<number | undefined> {
    sent.end(BODY.slice(1));
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  }

  it('is done if its credential is still good then', async () => {
    expect(await finish(await open(await gatehouse.createKey(tenant)))).toBe(201);
  });

  it('is refused if its credential was revoked meanwhile', async () => {
    const key = await gatehouse.createKey(tenant);
    const sent = await open(key);
    await gatehouse.http
      .delete(`/api/v1/api-keys/${key.id}`)
      .set(admin.bearer)
      .send({ confirm: 'A key' })
      .expect(204);

    expect(await finish(sent)).toBe(401);
    const [row] = await gatehouse.database.query<{ count: string }>(
      `SELECT count(*) FROM contacts WHERE last_name = 'Late'`,
    );
    expect(Number(row?.count)).toBeLessThanOrEqual(1);
  });

  it('is noted once in the audit log if it is refused', async () => {
    const key = await gatehouse.createKey(tenant, { scopes: ['contacts:write'] });
    const sent = await open(key);
    await gatehouse.http
      .delete(`/api/v1/api-keys/${key.id}`)
      .set(admin.bearer)
      .send({ confirm: 'A key' })
      .expect(204);
    await finish(sent);
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
    const sent = await open(await gatehouse.createKey(other));
    await gatehouse.database.query(`UPDATE tenants SET suspended_at = now() WHERE id = $1`, [
      other.id,
    ]);
    expect(await finish(sent)).toBe(403);
  });
});
