import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { callApi, csrfOf, newBrowser, postForm, signIn } from '../support/browser/console.js';
import { createUser, mainOf, type TestUser } from '../support/oauth/oauth.js';

const TOKENS = '/api/v1/personal-access-tokens';
const NEW = { name: 'Laptop', access: 'read' };
const MINUTE = 60_000;

const gatehouse = useGatehouse({}, () => time);
let acme: Tenant;
let bolt: Tenant;
let user: TestUser;
let time = Date.now();
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  bolt = await gatehouse.createTenant('bolt');
});
beforeEach(async () => {
  await gatehouse.database.shiftClock('0');
  await gatehouse.database.query('DELETE FROM attempts');
  user = await createUser(gatehouse, [
    [acme, 'viewer'],
    [bolt, 'viewer'],
  ]);
});

async function signedIn() {
  const browser = newBrowser(gatehouse);
  const csrf = csrfOf(await signIn(browser, user));
  const call = (method: string, path: string, body?: object, tenant = acme) =>
    callApi(browser, method, path, { 'X-CSRF-Token': csrf, 'X-Bwp-Tenant': tenant.slug }, body);
  return { browser, csrf, call };
}

/** Inserts tokens as the console creates them, without its limits. */
const addTokens = (count: number, fields: { expired?: boolean; age?: string } = {}) =>
  gatehouse.database.query(
    `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id,
       digest, digest_key_id, masked_key, subjects, issue_seq, expires_at, created_by, created_at)
     SELECT 'key_' || gen_random_uuid(), $1, 'personal', 'live', 'Old', '{}', 'user', $2,
       gen_random_uuid()::text, 'none', 'bwp_pat_…', '{}', nextval('issue_order'),
       CASE WHEN $3 THEN gatehouse_now() - interval '1 day' END, $2,
       gatehouse_now() - $4::interval FROM generate_series(1, $5)`,
    [acme.id, user.id, fields.expired ?? false, fields.age ?? '2 days', count],
  );
const living = async () => {
  const [row] = await gatehouse.database.query<{ count: number }>(
    `SELECT count(*)::int FROM credentials c WHERE principal_id = $1 AND expires_at IS NULL
       AND NOT EXISTS (SELECT FROM revocations r WHERE r.subject = c.id)`,
    [user.id],
  );
  return row?.count;
};

describe('personal tokens', () => {
  it('are limited to a hundred active ones per account and tenant', async () => {
    await addTokens(99);
    await addTokens(50, { expired: true });
    const { call } = await signedIn();
    const last = await call('POST', TOKENS, NEW);
    expect(last.status).toBe(201);
    const refused = await call('POST', TOKENS, NEW);
    expect(refused).toMatchObject({ status: 409, code: 'conflict' });
    expect(refused.detail).toContain('You have 100 personal tokens in this organization');
    expect((await call('POST', TOKENS, NEW, bolt)).status).toBe(201);

    const id = String(last.data?.id);
    expect((await call('POST', `${TOKENS}/${id}/rotate`, { graceSeconds: 60 })).status).toBe(409);
    const rotated = await call('POST', `${TOKENS}/${id}/rotate`, { graceSeconds: 0 });
    expect(rotated.status).toBe(201);
    const successor = `${TOKENS}/${String(rotated.data?.id)}`;
    expect((await call('DELETE', successor, { confirm: 'Laptop' })).status).toBe(204);
    expect((await call('POST', TOKENS, NEW)).status).toBe(201);
  });

  it('stay within the limit when two sessions create them at once', async () => {
    await addTokens(95);
    const [first, second] = [await signedIn(), await signedIn()];
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? first : second).call('POST', TOKENS, NEW),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(15);
    expect(await living()).toBe(100);
  });

  it('are refused on their page with the reason, and the form keeps its values', async () => {
    await addTokens(100);
    const { browser, csrf } = await signedIn();
    const fields = { csrf, name: 'My laptop', access: 'read', expires: '90' };
    const answer = await postForm(browser, '/settings/tokens/new?tenant=acme', fields);
    const main = mainOf({ html: await answer.text() });
    expect(answer.status).toBe(422);
    expect(main).toContain('You have 100 personal tokens in this organization');
    expect(main).toContain('value="My laptop"');
  });

  it('are limited to three hundred creations per day, revoked ones included', async () => {
    await addTokens(299, { expired: true, age: '1 hour' });
    const { call } = await signedIn();
    expect((await call('POST', TOKENS, NEW)).status).toBe(201);
    const refused = await call('POST', TOKENS, NEW);
    expect(refused).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(82_000);
    await gatehouse.database.shiftClock('23 hours 1 minute');
    expect((await call('POST', TOKENS, NEW)).status).toBe(201);
  });
});

describe('a session', () => {
  it('has 180 requests a minute, of pages and the API together', async () => {
    const { browser, call } = await signedIn();
    time += MINUTE;
    const other = await signedIn();
    for (let n = 0; n < 90; n += 1) {
      expect((await call('GET', '/api/v1/session')).status).toBe(200);
      expect((await browser.request('/settings/tokens')).status).toBe(200);
    }
    const refused = await call('POST', TOKENS, NEW);
    expect(refused).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    const page = await browser.request('/settings/tokens');
    expect(page.status).toBe(429);
    expect(page.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('Retry-After')).not.toBeNull();

    expect((await other.call('GET', '/api/v1/session')).status).toBe(200);
    time += MINUTE;
    expect((await call('GET', '/api/v1/session')).status).toBe(200);
  });
});
