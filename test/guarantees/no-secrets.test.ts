import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createTestApp, TEST_SECRET_KEY, type TestApp, type TestKey } from '../support/app.js';
import { createCredential } from '../support/credentials.js';
import { sendRaw } from '../support/raw-http.js';

const PASSWORD = 'correct horse battery staple';

/** What of a credential must be found nowhere, in the ways in which it could be written. */
function traces(secret: string): readonly string[] {
  const random = secret.slice(secret.lastIndexOf('_') + 1).slice(0, 43);
  const bytes = Buffer.from(random);
  return [random, random.slice(0, 20), bytes.toString('hex'), bytes.toString('base64url')];
}

/** Exercises every flow, every refusal included, and collects what could have leaked. */
describe('no secret', () => {
  let gatehouse: TestApp;
  let dump: string;
  let log: string;
  const secrets: string[] = [];
  const errors: string[] = [];
  beforeAll(async () => {
    gatehouse = await createTestApp({ LOG_LEVEL: 'trace' });
    await exercise();
    await gatehouse.app.activity.flush();
    dump = await gatehouse.database.dump();
    log = gatehouse.logged.join('\n');
  }, 60_000);
  afterAll(() => gatehouse.close());

  function collect(answer: Response): Response {
    const made = answer.body?.data?.key;
    if (typeof made === 'string') secrets.push(made);
    if (answer.status >= 400) errors.push(JSON.stringify(answer.headers) + answer.text);
    return answer;
  }

  async function exercise(): Promise<void> {
    const tenant = await gatehouse.createTenant('acme');
    const admin = await gatehouse.createKey(tenant);
    const other = await gatehouse.createKey(await gatehouse.createTenant('other'));
    const machine = await createCredential(gatehouse, tenant, 'service', ['contacts:read']);
    const unknown = gatehouse.format.mint('live');
    const mistyped = `${gatehouse.format.mint('live').slice(0, -1)}~`;
    secrets.push(admin.secret, other.secret, machine.secret, unknown, mistyped);

    await manageKeys(admin);
    for (const key of secrets.map(keyOf)) await presentEverywhere(key);
    await useContacts(admin);
    await breakThings(admin);
    await createAccountStore(gatehouse.dataSource.manager).create({
      ...{ email: 'ada@example.com', name: 'Ada', password: PASSWORD },
    });
  }

  const keyOf = (secret: string) => ({ bearer: { Authorization: `Bearer ${secret}` }, secret });

  async function manageKeys(admin: TestKey): Promise<void> {
    const post = async (path: string, body: object) =>
      collect(
        await gatehouse.http
          .post(`/api/v1/api-keys${path}`)
          .set({ ...admin.bearer, 'Idempotency-Key': `once ${path}` })
          .send(body),
      );
    const fields = { name: 'Sync', scopes: ['contacts:read'] };
    const { id } = (await post('', fields)).body.data;
    collect(await post('', fields));
    collect(await post('', { ...fields, name: 'Other' }));
    const fresh = (await post(`/${id}/rotate`, { graceSeconds: 60 })).body.data;
    const keys = gatehouse.http;
    collect(await keys.get('/api/v1/api-keys').set(admin.bearer));
    collect(await keys.patch(`/api/v1/api-keys/${id}`).set(admin.bearer).send({ name: 'New' }));
    collect(await keys.delete(`/api/v1/api-keys/${fresh.id}`).set(admin.bearer));
    collect(await post(`/${fresh.id}/rotate`, {}));
    collect(await post('', { ...fields, scopes: [admin.secret], expiresAt: admin.secret }));
  }

  async function presentEverywhere({ secret, bearer }: ReturnType<typeof keyOf>): Promise<void> {
    const { http } = gatehouse;
    for (const header of ['X-API-Key', 'X-Bwp-Api-Token']) {
      collect(await http.get('/api/v1/me').set(header, secret));
    }
    for (const scheme of ['Token', 'DPoP', 'Basic', 'Digest']) {
      collect(await http.get('/api/v1/me').set('Authorization', `${scheme} ${secret}`));
    }
    collect(await http.get('/api/v1/me').set(bearer).set('X-API-Key', secret));
    collect(await http.get(`/api/v1/contacts?auth_token=${secret}`));
    collect(await http.get(`/api/v1/contacts?limit=${secret}`).set(bearer));
    collect(await http.get(`/api/v1/contacts?cursor=${secret}`).set(bearer));
    // In places where it has no business at all.
    collect(await http.get(`/${secret}/api/v1/contacts/${secret}`));
    collect(await http.get(`/api/v1/contacts/${secret}`).set(bearer));
    collect(await http.put(`/api/v1/api-keys/${secret}`).set(bearer));
    collect(await http.post('/api/v1/contacts').set(bearer).send({ type: secret }));
    collect(await http.get('/api/v1/me').set({ ...bearer, 'X-Forwarded-For': secret }));
    collect(await http.get('/api/v1/me').set({ ...bearer, 'User-Agent': secret }));
    const headers = [['X-API-Key', secret]] as const;
    await sendRaw(gatehouse.origin, { method: 'BREW', path: `/${secret}`, headers }).catch(
      () => undefined,
    );
  }

  async function useContacts({ bearer, secret }: TestKey): Promise<void> {
    const contacts = gatehouse.http;
    const post = (body: string, type = 'application/json') =>
      contacts
        .post('/api/v1/contacts')
        .set({ ...bearer, 'Idempotency-Key': 'a contact' })
        .type(type)
        .send(body);
    collect(await post('{"type":"customer"}'));
    collect(await post('{"type":"vendor"}'));
    collect(await post(`{"type":"${secret}"}`));
    collect(await post(`{"type": ${secret}`));
    collect(await post(secret, 'text/plain'));
  }

  async function breakThings({ bearer }: TestKey): Promise<void> {
    const { database } = gatehouse;
    await database.query('ALTER TABLE contacts RENAME TO gone');
    collect(await gatehouse.http.get('/api/v1/contacts').set(bearer));
    await database.query('ALTER TABLE gone RENAME TO contacts');
    await database.query('ALTER TABLE credentials ADD CONSTRAINT is_full CHECK (false) NOT VALID');
    const body = { name: 'x', scopes: ['contacts:read'] };
    collect(await gatehouse.http.post('/api/v1/api-keys').set(bearer).send(body));
    await database.query('ALTER TABLE credentials DROP CONSTRAINT is_full');
    await database.query('ALTER TABLE credentials RENAME TO gone');
    collect(await gatehouse.http.get('/api/v1/me').set(bearer));
    await database.query('ALTER TABLE gone RENAME TO credentials');
  }

  it('was missing from the exercise', () => {
    expect(new Set(secrets).size).toBeGreaterThanOrEqual(7);
    expect(new Set(errors.map((text) => /"status":(\d+)/.exec(text)?.[1]))).toEqual(
      new Set(['400', '401', '403', '404', '405', '409', '415', '422', '500', '503']),
    );
    expect(log).toContain('internal_error');
    expect(dump).toContain('idempotency_records\n');
    expect(dump).toContain('credential.refused');
  });

  it('is in any row of any table', () => {
    for (const trace of secrets.flatMap(traces)) expect(dump.includes(trace)).toBe(false);
    for (const text of [PASSWORD, TEST_SECRET_KEY]) {
      expect(dump.includes(text)).toBe(false);
      expect(dump.includes(Buffer.from(text).toString('hex'))).toBe(false);
    }
  });

  it('is in any line of the log', () => {
    for (const trace of secrets.flatMap(traces)) expect(log.includes(trace)).toBe(false);
    for (const text of [PASSWORD, TEST_SECRET_KEY]) expect(log.includes(text)).toBe(false);
  });

  it('is in any error', () => {
    for (const trace of secrets.flatMap(traces)) {
      expect(errors.filter((text) => text.includes(trace))).toEqual([]);
    }
  });

  it('is stored as anything but a keyed digest', async () => {
    const rows = await gatehouse.database.query<{ digest: string; ciphertext: Buffer | null }>(
      'SELECT digest, ciphertext FROM credentials',
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const { digest, ciphertext } of rows) {
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
      expect(ciphertext).toBeNull();
    }
  });
});
