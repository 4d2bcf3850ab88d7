import { beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import type { Response } from 'supertest';

import { createAccountStore } from '../../src/accounts/account-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { TEST_SECRET_KEY, type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { createCredential } from '../support/app/credentials.js';
import { sendRaw } from '../support/app/raw-http.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PASSWORD = 'correct horse battery staple';

/** Parts of a credential that must be found nowhere, in each encoding. */
function traces(secret: string): readonly string[] {
  const random = secret.slice(secret.lastIndexOf('_') + 1).slice(0, 43);
  const encoded = (['hex', 'base64url'] as const).map((form) => Buffer.from(random).toString(form));
  return [random, random.slice(0, 20), ...encoded];
}

/** Exercises every flow, every refusal included, and collects what could have leaked. */
describe('no secret', () => {
  const gatehouse = useGatehouse({ LOG_LEVEL: 'trace' });
  let dump: string;
  let log: string;
  const secrets: string[] = [];
  const errors: string[] = [];
  /** Answers to callers that manage no keys, and output of commands. */
  const answers: string[] = [];
  /** Digests by which imported keys were handed over. */
  const digests: string[] = [];
  beforeAll(async () => {
    await exercise();
    await gatehouse.app.activity.flush();
    dump = await gatehouse.database.dump();
    log = gatehouse.logged.join('\n');
  }, 120_000);

  const allTraces = () => [...digests, ...secrets.flatMap(traces)];

  function collect(answer: Response): Response {
    const made = answer.body?.data?.key;
    if (typeof made === 'string') secrets.push(made);
    const said = JSON.stringify(answer.headers) + answer.text;
    if (answer.status >= 400) errors.push(said);
    else if (!/\/api-keys/.test(answer.request?.url)) answers.push(said);
    return answer;
  }

  async function exercise(): Promise<void> {
    const tenant = await gatehouse.createTenant('acme');
    const admin = await gatehouse.createKey(tenant);
    const other = await gatehouse.createKey(await gatehouse.createTenant('other'));
    const person = await createCredential(gatehouse, tenant, 'personal', ['contacts:read']);
    const unknown = gatehouse.format.mint('live');
    const mistyped = `${gatehouse.format.mint('live').slice(0, -1)}~`;
    secrets.push(admin.secret, other.secret, person.secret, unknown, mistyped);

    await manageKeys(admin);
    const machines = await makeOtherKinds(admin);
    const imported = await importKeys(tenant);
    for (const key of secrets.map(keyOf)) await presentEverywhere(key);
    await useContacts(admin);
    await pair(person, machines);
    await lookAtEach(machines);
    for (const { secret } of [...machines, imported, person]) await endByHolder(secret);
    await breakThings(admin);
    await createAccountStore(gatehouse.dataSource.manager).create({
      email: 'ada@example.com',
      name: 'Ada',
      password: PASSWORD,
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

  /** One of each further kind, made as managers make them; in test too, where that can be told. */
  async function makeOtherKinds(admin: TestKey): Promise<readonly { secret: string }[]> {
    const made: { id: string; secret: string }[] = [];
    const keys = '/api/v1/api-keys';
    const create = async (by: TestKey['bearer'], fields: object) => {
      const body = { name: 'Another', ...fields };
      const answer = await gatehouse.http.post(keys).set(by).send(body).expect(201);
      const { id, key } = collect(answer).body.data;
      made.push({ id, secret: key });
      return key as string;
    };
    const { bearer } = admin;
    const kinds = [
      { kind: 'publishable', scopes: ['products:read'] },
      { kind: 'publishable', scopes: ['products:read'], environment: 'test' },
      { kind: 'service', scopes: ['introspect', 'contacts:read'] },
      { kind: 'agent', scopes: ['contacts:read'], bindings: [{ type: 'contacts', id: '1' }] },
    ];
    for (const fields of kinds) await create(bearer, fields);
    const scopes = ['api_keys:manage', 'spaces:manage'];
    const organization = await create(bearer, { kind: 'organization', scopes });
    await create(keyOf(organization).bearer, { scopes: ['contacts:read'], environment: 'test' });
    for (const { id } of made) {
      collect(await gatehouse.http.get(`${keys}/${id}`).set(bearer));
      const body = { graceSeconds: 3600 };
      collect(await gatehouse.http.post(`${keys}/${id}/rotate`).set(bearer).send(body));
    }
    return made;
  }

  /** A key that was issued elsewhere; also handed over as it must not be. */
  async function importKeys({ slug }: Tenant): Promise<{ secret: string }> {
    const issue = () => `sk_old_${randomBytes(24).toString('hex')}`;
    const [secret, clumsy] = [issue(), issue()];
    const sha256 = createHash('sha256').update(secret).digest('hex');
    const fields = { name: 'From before', scopes: ['contacts:read'], sha256 };
    const lists = [{ scopes: [clumsy] }, { spaces: [clumsy] }];
    const wrongly = ['sha256', 'kind', 'expiresAt', clumsy].map((member) => ({ [member]: clumsy }));
    const lines = [{}, ...wrongly, ...lists].map((wrong) => ({ ...fields, ...wrong }));
    const input = [...lines.map((line) => JSON.stringify(line)), clumsy].join('\n');
    const options = ['--tenant', slug, '--prefix', 'sk_old_', '--no-wait', '--json'];
    const cli = createCli(gatehouse.database);
    const run = () => cli(['api-keys', 'import', ...options], input);
    const [failed, done] = [await whileNoneIsStored(run), await run()];
    await gatehouse.app.prefixes.refresh();
    expect(JSON.parse(done.stdout)).toMatchObject({ imported: 1, refused: 7 });
    const all = [failed, done, await cli(['verify', '--routes'], secret)];
    answers.push(...all.flatMap(({ stdout, stderr }) => [stdout, stderr]));
    secrets.push(secret, clumsy);
    digests.push(sha256);
    return { secret };
  }
  async function whileNoneIsStored<Result>(work: () => Promise<Result>): Promise<Result> {
    const alter = (how: string) => gatehouse.database.query(`ALTER TABLE credentials ${how}`);
    await alter('ADD CONSTRAINT is_full CHECK (false) NOT VALID');
    const result = await work();
    await alter('DROP CONSTRAINT is_full');
    return result;
  }

  async function pair(person: TestKey, others: readonly { secret: string }[]): Promise<void> {
    for (const { secret } of others) {
      const headers = { ...person.bearer, 'X-API-Key': secret };
      for (const path of ['me', 'contacts', `products?auth_token=${secret}`]) {
        collect(await gatehouse.http.get(`/api/v1/${path}`).set(headers));
      }
    }
  }

  /** Asks what each is, as one of them may and the others may not. */
  async function lookAtEach(others: readonly { secret: string }[]): Promise<void> {
    for (const { secret } of others) {
      for (const token of secrets) {
        const request = gatehouse.http.post('/api/v1/oauth/introspect').type('form');
        collect(await request.set('X-Bwp-Api-Token', secret).send({ token }));
      }
      collect(await gatehouse.http.get(`/api/v1/oauth/userinfo?auth_token=${secret}`));
      collect(await gatehouse.http.get('/api/v1/oauth/userinfo').set(keyOf(secret).bearer));
    }
  }

  async function endByHolder(token: string): Promise<void> {
    const { http } = gatehouse;
    collect(await http.post('/api/v1/oauth/revoke').type('form').send({ token }));
    collect(await http.post(`/api/v1/oauth/revoke?auth_token=${token}`).type('form').send({}));
    collect(await http.get('/api/v1/me').set(keyOf(token).bearer));
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
    for (const path of ['contacts', 'products', 'me', 'scopes']) {
      collect(await http.get(`/api/v1/${path}?auth_token=${secret}`));
    }
    collect(await http.post(`/api/v1/contacts?auth_token=${secret}`).send({ type: 'other' }));
    collect(await http.delete(`/api/v1/products?auth_token=${secret}`));
    collect(await http.get(`/api/v1/contacts?limit=${secret}`).set(bearer));
    collect(await http.get(`/api/v1/contacts?cursor=${secret}`).set(bearer));
    // In places where it has no business at all.
    collect(await http.get(`/${secret}/api/v1/contacts/${secret}`));
    collect(await http.get(`/api/v1/contacts/${secret}`).set(bearer));
    collect(await http.put(`/api/v1/api-keys/${secret}`).set(bearer));
    collect(await http.post('/api/v1/contacts').set(bearer).send({ type: secret }));
    collect(
      await http
        .post('/api/v1/contacts')
        .set(bearer)
        .send({ [secret]: 'customer' }),
    );
    collect(await http.get(`/api/v1/contacts?${secret}&metadata[${secret}]=x`).set(bearer));
    collect(await http.get('/api/v1/me').set({ ...bearer, 'X-Forwarded-For': secret }));
    for (const header of ['User-Agent', 'Origin', 'Referer', 'X-Request-Id', 'X-Bwp-Space']) {
      collect(await http.get('/api/v1/contacts').set({ ...bearer, [header]: secret }));
    }
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
    for (const kind of ['secret', 'publishable']) {
      const body = { name: 'x', kind, scopes: ['products:read'] };
      const request = gatehouse.http.post('/api/v1/api-keys').set(bearer);
      collect(await whileNoneIsStored(async () => request.send(body).expect(500)));
    }
    await database.query('ALTER TABLE credentials RENAME TO gone');
    collect(await gatehouse.http.get('/api/v1/me').set(bearer));
    await database.query('ALTER TABLE gone RENAME TO credentials');
  }

  it('is left out of the scenario', () => {
    const starts = ['live', 'test', 'pk_live', 'pk_test', 'pat', 'svc', 'agt', 'org'];
    for (const start of [...starts.map((kind) => `bwp_${kind}_`), 'sk_old_']) {
      expect(secrets.filter((secret) => secret.startsWith(start))).not.toEqual([]);
    }
    expect(new Set(secrets).size).toBeGreaterThanOrEqual(20);
    const statuses = errors.flatMap((text) => /"status":(\d+)/.exec(text)?.[1] ?? []);
    expect([...new Set(statuses)].toSorted().join(' ')).toBe(
      '400 401 403 404 405 409 415 422 500 503',
    );
    expect(log).toContain('internal_error');
    expect(dump).toContain('idempotency_records\n');
    for (const reason of ['exposed', 'not_bound', 'revoked', 'presentation_not_allowed']) {
      expect(dump).toContain(`{""reason"": ""${reason}""}`);
    }
    expect(answers.join('')).toContain('"active":true');
  });

  it('is in any row of any table', () => {
    for (const trace of allTraces()) expect(dump.includes(trace)).toBe(false);
    for (const text of [PASSWORD, TEST_SECRET_KEY]) {
      expect(dump.includes(text)).toBe(false);
      expect(dump.includes(Buffer.from(text).toString('hex'))).toBe(false);
    }
  });

  it('is in any line of the log', () => {
    for (const trace of allTraces()) expect(log.includes(trace)).toBe(false);
    for (const text of [PASSWORD, TEST_SECRET_KEY]) expect(log.includes(text)).toBe(false);
  });

  it('is in any error', () => {
    for (const trace of allTraces()) {
      expect(errors.filter((text) => text.includes(trace))).toEqual([]);
    }
  });

  it('is in any answer to a caller without api_keys:manage, or in the output of a command', () => {
    for (const trace of allTraces()) {
      expect(answers.filter((text) => text.includes(trace))).toEqual([]);
    }
  });

  it('is stored except as a keyed digest; publishable keys are also encrypted', async () => {
    const rows = await gatehouse.database.query<{ kind: string; digest: string; sealed: boolean }>(
      'SELECT kind, digest, ciphertext IS NOT NULL AS sealed FROM credentials',
    );
    expect(rows.length).toBeGreaterThan(12);
    for (const { kind, digest, sealed } of rows) {
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
      expect({ kind, sealed }).toEqual({ kind, sealed: kind === 'publishable' });
    }
  });
});
