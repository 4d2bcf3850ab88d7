import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestAppBehindProxy, freshAddress } from '../support/app/clients.js';
import { createCredential } from '../support/app/credentials.js';
import { expectProblem } from '../support/app/problems.js';
import { createUser, getTokens, registerClient, type TestUser } from '../support/oauth/oauth.js';
import { refresh, statusOfToken } from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const scanner = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const KEYS = JSON.stringify({
  public_keys: [
    {
      key_identifier: 'key-1',
      key: scanner.publicKey.export({ type: 'spki', format: 'pem' }),
      is_current: true,
    },
  ],
});

const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1', SECRET_SCANNING_KEYS: KEYS });
let tenant: Tenant;
let user: TestUser;
let address: string;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  user = await createUser(gatehouse, [[tenant, 'manager']]);
});
beforeEach(() => {
  address = freshAddress();
});

const report = (body: unknown) =>
  gatehouse.http
    .post('/api/v1/credentials/revoke')
    .set('X-Forwarded-For', address)
    .send(body as object);
const status = (secret: string) => statusOfToken(gatehouse, secret);
const entries = (subject: string) =>
  gatehouse.database.query<Record<string, unknown>>(
    `SELECT action, actor, address, tenant_id, details FROM audit_log
     WHERE subject = $1 AND action IN ('key.exposed', 'grant.revoke', 'credential.revoke')`,
    [subject],
  );

describe('POST /api/v1/credentials/revoke', () => {
  it('ends keys and tokens of every kind, but not publishable keys', async () => {
    const kinds = ['secret', 'service', 'agent', 'organization', 'personal'] as const;
    const keys = await Promise.all(
      kinds.map(async (kind) => createCredential(gatehouse, tenant, kind, ['contacts:read'])),
    );
    const publishable = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
    const client = await registerClient(gatehouse);
    const tokens = await getTokens(gatehouse, { client, user });
    const second = await getTokens(gatehouse, { client, user });
    const all = [...keys, publishable].map(({ secret }) => secret);

    const answer = await report({
      credentials: [...all, tokens.access_token, second.refresh_token ?? ''],
    });

    expect(answer.status).toBe(202);
    expect(answer.body.data).toEqual({ received: all.length + 2 });
    expect(answer.headers['cache-control']).toBe('no-store');
    for (const { secret } of keys) expect(await status(secret)).toBe(401);
    expect(await status(publishable.secret)).toBe(200);
    expect(await status(tokens.access_token)).toBe(401);
    // An access token ends alone, a refresh token with its family.
    expect((await refresh(gatehouse, client, tokens.refresh_token)).status).toBe(200);
    expect(await status(second.access_token)).toBe(401);
    expect((await refresh(gatehouse, client, second.refresh_token)).status).toBe(400);
  });

  it('is audited once, also for reports at the same time', async () => {
    const key = await gatehouse.createKey(tenant, { name: 'Nightly' });
    const credentials = [key.secret, ` ${key.secret} `, key.secret];

    await Promise.all([1, 2, 3].map(() => report({ credentials })));
    await report({ credentials });

    expect(await entries(key.id)).toEqual([
      {
        action: 'key.exposed',
        actor: 'holder',
        address,
        tenant_id: tenant.id,
        details: { kind: 'secret', name: 'Nightly' },
      },
    ]);
  });

  it('answers alike whatever is reported, and repeats nothing', async () => {
    const key = await gatehouse.createKey(tenant);
    const bodies = [];
    for (const secret of ['nonsense', gatehouse.format.mint('live'), key.secret, key.secret]) {
      const { status: code, body, text } = await report({ credentials: [secret] });
      expect(text).not.toContain(secret);
      bodies.push({ code, data: body.data });
    }
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(gatehouse.logged.join('')).not.toContain(key.secret);
  });

  it.each([
    [{}],
    [{ credentials: [] }],
    [{ credentials: 'bwp_live_x' }],
    [{ credentials: [''] }],
    [{ credentials: [1] }],
    [{ credentials: Array.from({ length: 101 }, () => 'x') }],
    [{ credentials: ['x'.repeat(1001)] }],
    [{ credentials: ['x'], also: 1 }],
  ])('refuses the malformed report %#', async (body) => {
    expectProblem(await report(body), 422, 'validation_failed');
  });

  it('bounds the body and the reports of an address', async () => {
    const long = { credentials: Array.from({ length: 100 }, () => 'x'.repeat(2000)) };
    expectProblem(await report(long), 413, 'payload_too_large');
    for (let n = 0; n < 19; n += 1) {
      expect((await report({ credentials: ['x'] })).status).toBe(202);
    }
    const refused = await report({ credentials: ['x'] });
    expectProblem(refused, 429, 'rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    address = freshAddress();
    expect((await report({ credentials: ['x'] })).status).toBe(202);
  });
});

describe('POST /api/v1/credentials/exposed', () => {
  const send = (body: string, key = scanner.privateKey, id = 'key-1') =>
    gatehouse.http
      .post('/api/v1/credentials/exposed')
      .set({
        'X-Forwarded-For': address,
        'Content-Type': 'application/json',
        'Github-Public-Key-Identifier': id,
        'Github-Public-Key-Signature': sign('sha256', Buffer.from(body), key).toString('base64'),
      })
      .send(body);
  const match = (token: string) => ({
    token,
    type: 'gatehouse_key',
    url: 'https://github.example/acme/repository/blob/main/.env',
    source: 'content',
  });

  it('ends what a signed message reports, and says what was ours', async () => {
    const key = await gatehouse.createKey(tenant, { name: 'Nightly' });
    const unknown = gatehouse.format.mint('live');

    const answer = await send(JSON.stringify([match(key.secret), match(unknown)]));

    expect(answer.status).toBe(200);
    const hash = (text: string) => createHash('sha256').update(text).digest('hex');
    expect(answer.body).toEqual([
      { token_hash: hash(key.secret), token_type: 'gatehouse_key', label: 'true_positive' },
      { token_hash: hash(unknown), token_type: 'gatehouse_key', label: 'false_positive' },
    ]);
    expect(await status(key.secret)).toBe(401);
    const { url } = match('');
    expect(await entries(key.id)).toMatchObject([
      { actor: 'secret-scanning', details: { kind: 'secret', name: 'Nightly', url } },
    ]);
  });

  it('refuses a message that is not signed by a configured key, and ends nothing', async () => {
    const key = await gatehouse.createKey(tenant);
    const body = JSON.stringify([match(key.secret)]);

    expectProblem(await send(body, other.privateKey), 401, 'unauthorized');
    expectProblem(await send(body, scanner.privateKey, 'key-2'), 401, 'unauthorized');
    const altered = await gatehouse.http
      .post('/api/v1/credentials/exposed')
      .set({
        'Content-Type': 'application/json',
        'Github-Public-Key-Identifier': 'key-1',
        'Github-Public-Key-Signature': sign(
          'sha256',
          Buffer.from('[]'),
          scanner.privateKey,
        ).toString('base64'),
      })
      .send(body);
    expectProblem(altered, 401, 'unauthorized');
    const unsigned = await gatehouse.http.post('/api/v1/credentials/exposed').send([match('x')]);
    expectProblem(unsigned, 401, 'unauthorized');
    expect(await status(key.secret)).toBe(200);
  });

  it('is absent without configured keys', async () => {
    const without = await createTestAppBehindProxy();
    const answer = await without.http.post('/api/v1/credentials/exposed').send([]);
    expectProblem(answer, 404, 'not_found');
    await without.close();
  });
});
