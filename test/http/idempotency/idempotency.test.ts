import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Response } from 'supertest';

import { deleteExpiredResponses } from '../../../src/http/idempotency/idempotency.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { type TestKey } from '../../support/app/app.js';
import { countContacts, postContact } from '../../support/app/contacts.js';
import { expectProblem } from '../../support/app/problems.js';
import { sendRaw } from '../../support/app/raw-http.js';
import { createSpace } from '../../support/app/spaces.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const BODY = { type: 'customer', firstName: 'Ada' };

describe('Idempotency-Key', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let key: TestKey;
  let once: string;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant);
  });
  beforeEach(async () => {
    await gatehouse.database.shiftClock('0');
    once = randomUUID();
  });

  const post = (body: object = BODY, by = key, idempotencyKey = once) =>
    postContact(gatehouse, by, body, { 'Idempotency-Key': idempotencyKey });
  const records = () => gatehouse.database.query('SELECT key FROM idempotency_records');

  describe('replays', () => {
    it('the first answer, status and body, and does the work once', async () => {
      const before = await countContacts(gatehouse);
      const first = await post();

      const second = await post();

      expect(first.status).toBe(201);
      expect({ status: second.status, text: second.text }).toEqual({
        status: 201,
        text: first.text,
      });
      expect(second.headers['content-type']).toBe(first.headers['content-type']);
      expect(second.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
      expect(await countContacts(gatehouse)).toBe(before + 1);
    });

    it('an answer without a body', async () => {
      const { id } = (await postContact(gatehouse, key)).body.data;
      const remove = () =>
        gatehouse.http
          .delete(`/api/v1/contacts/${id}`)
          .set({ ...key.bearer, 'Idempotency-Key': once });

      await remove().expect(204, '');
      await remove().expect(204, '');
    });

    it('an answer to a change that was followed by another change', async () => {
      const { id } = (await postContact(gatehouse, key)).body.data;
      const patch = (body: object, headers = {}) =>
        gatehouse.http
          .patch(`/api/v1/contacts/${id}`)
          .set({ ...key.bearer, ...headers })
          .send(body);
      const first = await patch({ firstName: 'Ada' }, { 'Idempotency-Key': once });
      await patch({ firstName: 'Eve' });

      const second = await patch({ firstName: 'Ada' }, { 'Idempotency-Key': once });

      expect(second.text).toBe(first.text);
      const now = await gatehouse.http.get(`/api/v1/contacts/${id}`).set(key.bearer);
      expect(now.body.data.firstName).toBe('Eve');
    });

    it('an API key, which is not readable in the database', async () => {
      const create = () =>
        gatehouse.http
          .post('/api/v1/api-keys')
          .set({ ...key.bearer, 'Idempotency-Key': once })
          .send({ name: 'Sync', scopes: ['contacts:read'] });
      const first = await create();

      expect((await create()).text).toBe(first.text);
      const secret: string = first.body.data.key;
      const dump = await gatehouse.database.dump();
      expect(dump).toContain(first.body.data.id);
      for (const form of [secret, secret.slice(9), Buffer.from(secret).toString('hex')]) {
        expect(dump).not.toContain(form);
      }
    });

    it('for 24 hours from the first request on', async () => {
      const before = await countContacts(gatehouse);
      const first = await post();
      await gatehouse.database.shiftClock('23 hours 59 minutes');
      expect((await post()).text).toBe(first.text);

      await gatehouse.database.shiftClock('24 hours 1 minute');

      const later = await post();
      expect(later.status).toBe(201);
      expect(later.body.data.id).not.toBe(first.body.data.id);
      expect(await countContacts(gatehouse)).toBe(before + 2);
      expect((await post()).text).toBe(later.text);
    });
  });

  describe('409 idempotency_key_reused', () => {
    it.each([
      ['body', { ...BODY, firstName: 'Eve' }],
      ['spelling of the body', { firstName: 'Ada', type: 'customer' }],
    ])('is for another %s', async (_what, body) => {
      await post();

      expectProblem(await post(body), 409, 'idempotency_key_reused');
    });

    it('answers another path or method', async () => {
      await post();
      const headers = { ...key.bearer, 'Idempotency-Key': once };
      const { http } = gatehouse;
      for (const request of [
        http.post('/api/v1/api-keys'),
        http.patch('/api/v1/contacts/1'),
        http.delete('/api/v1/contacts/1'),
      ]) {
        expectProblem(await request.set(headers).send(BODY), 409, 'idempotency_key_reused');
      }
    });

    it('answers another space, named or the default one', async () => {
      const before = await countContacts(gatehouse);
      const [one, two] = [
        await createSpace(gatehouse, tenant, randomUUID()),
        await createSpace(gatehouse, tenant, randomUUID()),
      ];
      const postIn = (space: string | undefined) =>
        postContact(gatehouse, key, BODY, {
          'Idempotency-Key': once,
          ...(space !== undefined && { 'X-Bwp-Space': space }),
        });
      const first = await postIn(one);
      expect(first.status).toBe(201);

      expectProblem(await postIn(two), 409, 'idempotency_key_reused');
      expectProblem(await postIn(undefined), 409, 'idempotency_key_reused');
      expect((await postIn(one)).text).toBe(first.text);
      expect(await countContacts(gatehouse)).toBe(before + 1);
    });

    it('answers another key of the tenant, of either environment', async () => {
      const before = await countContacts(gatehouse);
      await post();
      const test = await gatehouse.createKey(tenant, { environment: 'test' });

      expectProblem(await post(BODY, test), 409, 'idempotency_key_reused');
      const other = await gatehouse.createKey(tenant);
      expectProblem(await post(BODY, other), 409, 'idempotency_key_reused');
      expect(await countContacts(gatehouse)).toBe(before + 1);
    });
  });

  it('belongs to one tenant, so that another may use the same', async () => {
    const stranger = await gatehouse.createKey(await gatehouse.createTenant(`other-${once}`));
    const first = await post();

    const second = await post(BODY, stranger);

    expect(second.status).toBe(201);
    expect(second.body.data.id).not.toBe(first.body.data.id);
  });

  it('does not store failed answers', async () => {
    const before = await records();
    expectProblem(await post({ type: 'nobody' }), 422, 'validation_failed');
    const missing = gatehouse.http
      .delete('/api/v1/contacts/999999')
      .set({ ...key.bearer, 'Idempotency-Key': once });
    expectProblem(await missing, 404, 'not_found');
    expect(await records()).toEqual(before);

    expect((await post()).status).toBe(201);
  });

  it('is ignored by GET', async () => {
    const before = await records();
    const get = (path: string) =>
      gatehouse.http.get(path).set({ ...key.bearer, 'Idempotency-Key': once });
    const first = await get('/api/v1/contacts');
    await postContact(gatehouse, key);

    expect((await get('/api/v1/contacts')).text).not.toBe(first.text);
    await get('/api/v1/me').expect(200);
    await gatehouse.http
      .get('/api/v1/me')
      .set({ ...key.bearer, 'Idempotency-Key': 'é' })
      .expect(200);
    expect(await records()).toEqual(before);
  });

  it('is judged after the guard, so that a revoked key gets no replay', async () => {
    const other = await gatehouse.createKey(tenant);
    await post(BODY, other).expect(201);
    await gatehouse.http
      .delete(`/api/v1/api-keys/${other.id}`)
      .set(key.bearer)
      .send({ confirm: 'A key' })
      .expect(204);

    expectProblem(await post(BODY, other), 401, 'unauthorized');
  });

  describe('400', () => {
    it.each([
      ['256 characters', 'x'.repeat(256)],
      ['no characters', ''],
      ['a tab', 'a\tb'],
      ['a character beyond ASCII', 'caf\xe9'],
    ])('is for %s', async (_what, value) => {
      const before = await countContacts(gatehouse);
      const { status, text } = await sendRaw(gatehouse.origin, {
        method: 'POST',
        path: '/api/v1/contacts',
        headers: [
          ['X-API-Key', key.secret],
          ['Idempotency-Key', value],
          ['Content-Type', 'application/json'],
          ['Content-Length', '16'],
        ],
        body: '{"type":"other"}',
      });

      expect({ status, code: JSON.parse(text).code }).toEqual({ status: 400, code: 'bad_request' });
      expect(await countContacts(gatehouse)).toBe(before);
    });

    it.each(['x'.repeat(255), 'a b, c', '"quoted"', "';--"])('is not for %j', async (value) => {
      await post(BODY, key, value).expect(201);
    });
  });

  it('lets one of 100 concurrent requests do the work and answers 409 to the others', async () => {
    const before = await countContacts(gatehouse);
    const blocking = gatehouse.dataSource.createQueryRunner();
    await blocking.startTransaction();
    // The work of the first cannot end before all the others have been answered.
    await blocking.query('LOCK TABLE contacts IN SHARE MODE');

    const answers: Response[] = [];
    let requests: readonly Promise<void>[] = [];
    await new Promise<void>((resolve) => {
      requests = Array.from({ length: 100 }, async () => {
        if (answers.push(await post()) === 99) resolve();
      });
    });
    await blocking.commitTransaction();
    await blocking.release();
    await Promise.all(requests);
    const done = answers.pop();

    expect(done?.status).toBe(201);
    expect(answers).toHaveLength(99);
    for (const answer of answers) {
      expectProblem(answer, 409, 'conflict');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(await countContacts(gatehouse)).toBe(before + 1);
    expect((await post()).text).toBe(done?.text);
  });

  it('is deleted after a day, and not before', async () => {
    await post();
    await gatehouse.database.shiftClock('12 hours');
    await deleteExpiredResponses(gatehouse.dataSource.manager);
    expect(await records()).toContainEqual({ key: once });

    await gatehouse.database.shiftClock('25 hours');
    await deleteExpiredResponses(gatehouse.dataSource.manager);
    expect(await records()).not.toContainEqual({ key: once });
  });

  it('is deleted in any number', async () => {
    await gatehouse.database.query(
      `INSERT INTO idempotency_records (scope, key, fingerprint, status, body, body_key_id, created_at)
       SELECT 'many', n, '', 201, '', '', gatehouse_now() - interval '25 hours'
       FROM generate_series(1, 20001) AS n`,
    );
    await deleteExpiredResponses(gatehouse.dataSource.manager);
    const left = await gatehouse.database.query(
      `SELECT FROM idempotency_records WHERE scope = 'many'`,
    );
    expect(left).toEqual([]);
  });
});
