import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { openStream, type OpenStream } from '../support/app/change-stream.js';
import { createCredential } from '../support/app/credentials.js';
import { expectProblem } from '../support/app/problems.js';
import { until } from '../support/app/until.js';
import { createUser, getTokens, post, registerClient } from '../support/oauth/oauth.js';
import { deleteOldChanges } from '../../src/verify-endpoints/index.js';
import { addResourceServer, type TestResourceServer } from '../support/oauth/resource-servers.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('GET /api/v1/verify/changes', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let other: Tenant;
  let files: TestResourceServer;
  let service: TestKey;
  const open: OpenStream[] = [];
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    other = await gatehouse.createTenant('other');
    files = await addResourceServer(gatehouse, 'https://files.example.com');
    service = await createCredential(gatehouse, tenant, 'service', ['introspect']);
  });
  afterEach(() => open.splice(0).forEach((stream) => stream.close()));

  async function follow(bearer: Readonly<Record<string, string>>): Promise<OpenStream> {
    const stream = await openStream(gatehouse.origin, bearer);
    open.push(stream);
    if (stream.status === 200) await stream.caughtUp();
    return stream;
  }
  const revoke = (subject: string) =>
    gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(subject, 'operator', null),
    );

  it('sends what was revoked, altered, suspended and demoted, after its commit', async () => {
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const client = await registerClient(gatehouse);
    const tokens = await getTokens(gatehouse, { client, user });
    const [revoked, altered] = await Promise.all([
      gatehouse.createKey(tenant),
      gatehouse.createKey(tenant),
    ]);
    const stream = await follow(service.bearer);
    expect(stream.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers.get('Cache-Control')).toContain('no-store');

    await revoke(revoked.id);
    await gatehouse.database.query('UPDATE credentials SET expires_at = now() WHERE id = $1', [
      altered.id,
    ]);
    const { manager } = gatehouse.dataSource;
    await createAccountStore(manager).setRole(tenant.id, user.id, 'viewer');
    const answer = await post(gatehouse, 'revoke', {
      token: tokens.access_token,
      client_id: client.client_id,
    });
    expect(answer.status).toBe(200);
    await stream.caughtUp();
    const subjects = stream.subjects();
    expect(subjects).toEqual([
      revoked.id,
      altered.id,
      `${user.id}@${tenant.id}`,
      expect.stringMatching(/^tok_/),
    ]);
    expect(stream.events.map(({ name }) => name)).not.toContain('reset');
  });

  it('beats at least four times a second', async () => {
    const stream = await follow(service.bearer);
    await until(() => stream.events.filter(({ name }) => name === 'beat').length > 12);
    const times = stream.events.flatMap(({ data }) => data.at ?? []);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    // A machine under load may miss one.
    expect(gaps.toSorted((a, b) => a - b).at(Math.floor(gaps.length / 2))).toBeLessThan(250);
  });

  it("keeps a tenant's service from the changes of other tenants, and shows all to a resource server", async () => {
    const [own, foreign] = await Promise.all([
      gatehouse.createKey(tenant),
      gatehouse.createKey(other),
    ]);
    const stranger = await createUser(gatehouse, [[other, 'member']]);
    const [byTenant, byServer] = await Promise.all([follow(service.bearer), follow(files.bearer)]);
    const { manager } = gatehouse.dataSource;
    await revoke(foreign.id);
    await revoke(stranger.id);
    await createAccountStore(manager).setRole(other.id, stranger.id, 'viewer');
    await createTenantStore(manager).setSuspended(other.id, true);
    await revoke(own.id);
    await Promise.all([byTenant.caughtUp(), byServer.caughtUp()]);
    expect(byTenant.subjects()).toEqual([own.id]);
    expect(byServer.subjects()).toEqual([
      foreign.id,
      stranger.id,
      `${stranger.id}@${other.id}`,
      other.id,
      own.id,
    ]);
  });

  it('skips nothing that commits in another order than its transactions began', async () => {
    const stream = await follow(files.bearer);
    const slow = gatehouse.dataSource.createQueryRunner();
    await slow.startTransaction();
    await createRevocationStore(slow.manager).revoke('key_SLOW', 'operator', null);
    const others = Array.from({ length: 20 }, (_, index) => `key_FAST${index}`);
    await Promise.all(others.map(revoke));
    await stream.caughtUp();
    expect(stream.subjects().toSorted()).toEqual(others.toSorted());
    await slow.commitTransaction();
    await slow.release();
    await stream.caughtUp();
    expect(stream.subjects().toSorted()).toEqual([...others, 'key_SLOW'].toSorted());
  });

  it('are kept for ten minutes after their commit, however long their transaction was open', async () => {
    const rows = async () =>
      (await gatehouse.database.query(`SELECT FROM verdict_changes WHERE subject LIKE 'key_AGED%'`))
        .length;
    const cleanUp = () => deleteOldChanges(gatehouse.dataSource.manager);
    const slow = gatehouse.dataSource.createQueryRunner();
    await slow.startTransaction();
    await createRevocationStore(slow.manager).revoke('key_AGED1', 'operator', null);
    await revoke('key_AGED2');
    await cleanUp();
    expect(await rows()).toBe(1);
    await gatehouse.database.shiftClock('12 minutes');
    await slow.commitTransaction();
    await slow.release();
    await cleanUp();
    expect(await rows()).toBe(1);
    await gatehouse.database.shiftClock('24 minutes');
    await cleanUp();
    expect(await rows()).toBe(0);
  });

  it('ends when the service itself is changed', async () => {
    const own = await createCredential(gatehouse, tenant, 'service', ['introspect']);
    const stream = await follow(own.bearer);
    await revoke(own.id);
    // A stream that was cut off could have lost its last events.
    expect([await stream.ended, stream.subjects()]).toEqual([true, [own.id]]);
    expect(stream.events.at(-1)?.name).toBe('beat');
    expect((await openStream(gatehouse.origin, own.bearer)).status).toBe(401);
  });

  it('resets and ends after more changes than are read at once: the service may be among them', async () => {
    const streams = [await follow(service.bearer), await follow(files.bearer)];
    await gatehouse.database.query(
      `INSERT INTO verdict_changes (subject, tenant_id)
       SELECT 'key_' || number, $1 FROM generate_series(1, 20001) AS number`,
      [other.id],
    );
    for (const stream of streams) {
      expect([await stream.ended, stream.subjects()]).toEqual([true, []]);
      expect(stream.events.at(-1)?.name).toBe('reset');
    }
    expect((await follow(service.bearer)).status).toBe(200);
  });

  it('resets for a service of a tenant if the tenant of a change is unknown', async () => {
    const [byTenant, byServer] = [await follow(service.bearer), await follow(files.bearer)];
    await revoke('key_UNKNOWN');
    await Promise.all([byTenant.caughtUp(), byServer.caughtUp()]);
    expect([byTenant.subjects(), byServer.subjects()]).toEqual([[], ['key_UNKNOWN']]);
    expect(byTenant.events.some(({ name }) => name === 'reset')).toBe(true);
    expect(byServer.events.some(({ name }) => name === 'reset')).toBe(false);
  });

  it('begins with a reset for a client that comes back', async () => {
    const stream = await follow({ ...service.bearer, 'Last-Event-ID': '4711' });
    expect(stream.events[0]?.name).toBe('reset');
  });

  it('answers HEAD with the headers alone', async () => {
    const head = () => gatehouse.http.head('/api/v1/verify/changes');
    const answer = await head().set(service.bearer);
    expect([answer.status, answer.headers['content-type']]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ]);
    expect((await head()).status).toBe(401);
  });

  it('admits no others', async () => {
    const get = (bearer: Readonly<Record<string, string>>) =>
      gatehouse.http.get('/api/v1/verify/changes').set(bearer);
    const key = await gatehouse.createKey(tenant, { scopes: ['introspect'] });
    const weak = await createCredential(gatehouse, tenant, 'service', ['contacts:read']);
    expectProblem(await get({}), 401, 'unauthorized');
    expectProblem(await get(key.bearer), 403, 'forbidden');
    expectProblem(await get(weak.bearer), 403, 'scope_insufficient');
    expectProblem(await get(service.bearer).query({ after: '1' }), 422, 'validation_failed');
  });

  it('opens twenty streams for a service at once', async () => {
    const own = await createCredential(gatehouse, tenant, 'service', ['introspect']);
    await Promise.all(Array.from({ length: 20 }, () => follow(own.bearer)));
    expect((await openStream(gatehouse.origin, own.bearer)).status).toBe(429);
    open.splice(0).forEach((stream) => stream.close());
    await until(async () => {
      const again = await openStream(gatehouse.origin, own.bearer);
      again.close();
      return again.status === 200;
    });
  });
});
