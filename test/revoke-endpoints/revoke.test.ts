import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCredential } from '../support/app/credentials.js';
import {
  createUser,
  getTokens,
  post,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import {
  authenticationOf,
  expectOAuthError,
  refresh,
  statusOfToken,
} from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('POST /api/v1/oauth/revoke', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let tenant: Tenant;
  let user: TestUser;
  let open: TestClient;
  let confidential: TestClient;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'manager']]);
    open = await registerClient(gatehouse);
    confidential = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_basic',
    });
  });

  const revoke = (fields: Record<string, string>, headers = {}) =>
    post(gatehouse, 'revoke', fields, headers);
  const issue = (client: TestClient) => getTokens(gatehouse, { client, user });
  const status = (token: string) => statusOfToken(gatehouse, token);
  async function expectDone(answer: Response) {
    expect(answer.status).toBe(200);
    expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/);
    expect(answer.headers.get('Cache-Control')).toBe('no-store');
    expect(await answer.text()).toBe('{}');
  }

  describe('200', () => {
    it('revokes an access token only', async () => {
      for (const client of [open, confidential]) {
        const tokens = await issue(client);
        const second = await refresh(gatehouse, client, tokens.refresh_token);
        const { access_token: sibling, refresh_token: next } = (await second.json()) as {
          access_token: string;
          refresh_token: string;
        };
        await expectDone(await revoke({ token: sibling, ...authenticationOf(client) }));
        expect(await status(sibling)).toBe(401);
        expect(await status(tokens.access_token)).toBe(200);
        expect((await refresh(gatehouse, client, next)).status).toBe(200);
      }
    });

    it('revokes the family of a refresh token, also of a used one', async () => {
      for (const isUsed of [false, true]) {
        const first = await issue(open);
        const other = await issue(open);
        const answer = await refresh(gatehouse, open, first.refresh_token);
        const second = (await answer.json()) as { access_token: string; refresh_token: string };
        const token = (isUsed ? first : second).refresh_token ?? '';
        await expectDone(await revoke({ token, client_id: open.client_id }));
        expect(await status(first.access_token)).toBe(401);
        expect(await status(second.access_token)).toBe(401);
        const dead = await refresh(gatehouse, open, second.refresh_token);
        await expectOAuthError(dead, 400, 'invalid_grant');
        expect(await status(other.access_token)).toBe(200);
      }
    });

    it('is idempotent, for any hint', async () => {
      const { access_token: token } = await issue(open);
      for (const hint of ['access_token', 'refresh_token', 'x', '']) {
        const fields = { token, token_type_hint: hint, client_id: open.client_id };
        await expectDone(await revoke(fields));
        expect(await status(token)).toBe(401);
      }
    });

    it('is the answer for unknown, expired and malformed tokens', async () => {
      const { format, database } = gatehouse;
      const garbage = ['garbage', '\0', 'bwp_at_', format.mint('at'), format.mint('rt')];
      for (const token of [...garbage, format.mint('ac'), format.mint('cs')]) {
        await expectDone(await revoke({ token, ...authenticationOf(confidential) }));
      }
      const { access_token: token } = await issue(open);
      await database.shiftClock('2 hours');
      await expectDone(await revoke({ token, client_id: open.client_id }));
      await database.shiftClock('0 hours');
    });

    it("does not revoke another client's tokens", async () => {
      const tokens = await issue(open);
      for (const token of [tokens.access_token, tokens.refresh_token ?? '']) {
        await expectDone(await revoke({ token, ...authenticationOf(confidential) }));
      }
      expect(await status(tokens.access_token)).toBe(200);
      expect((await refresh(gatehouse, open, tokens.refresh_token)).status).toBe(200);
    });

    it('ends a key for its holder, without a client', async () => {
      for (const kind of ['secret', 'service', 'agent', 'personal', 'organization'] as const) {
        const key = await createCredential(gatehouse, tenant, kind, ['contacts:read']);
        await expectDone(await revoke({ token: key.secret }));
        expect({ kind, status: await status(key.secret) }).toEqual({ kind, status: 401 });
        await expectDone(await revoke({ token: key.secret }));
      }
      await expectDone(await revoke({ token: gatehouse.format.mint('live') }));
    });

    it('never revokes a publishable key', async () => {
      const key = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
      await expectDone(await revoke({ token: key.secret }));
      await expectDone(await revoke({ token: key.secret, ...authenticationOf(confidential) }));
      expect(await status(key.secret)).toBe(200);
    });

    it('writes an audit entry', async () => {
      const { access_token: token } = await issue(open);
      const key = await gatehouse.createKey(tenant);
      await revoke({ token, client_id: open.client_id });
      await revoke({ token: key.secret });
      const rows = await gatehouse.database.query<{ actor: string; subject: string }>(
        `SELECT * FROM audit_log WHERE action = 'credential.revoke' AND tenant_id = $1`,
        [tenant.id],
      );
      expect(JSON.stringify(rows)).toContain(key.id);
      expect(JSON.stringify(rows)).toContain(open.client_id);
    });
  });

  describe('401', () => {
    it('answers clients that fail to authenticate, and revokes nothing', async () => {
      const { access_token: token } = await issue(confidential);
      const { client_id } = confidential;
      for (const who of [
        {},
        { client_id },
        { client_id: 'cli_unknown' },
        { client_id, client_secret: 'wrong' },
      ]) {
        await expectOAuthError(await revoke({ token, ...who }), 401, 'invalid_client');
      }
      const basic = `Basic ${Buffer.from(`${client_id}:wrong`).toString('base64')}`;
      const answer = await revoke({ token }, { Authorization: basic });
      expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic realm=/);
      await expectOAuthError(answer, 401, 'invalid_client');
      expect(await status(token)).toBe(200);
    });

    it('answers text that only looks like a key', async () => {
      const { secret } = await gatehouse.createKey(tenant);
      const mistyped = secret.slice(0, -1) + (secret.endsWith('a') ? 'b' : 'a');
      await expectOAuthError(await revoke({ token: mistyped }), 401, 'invalid_client');
      expect(await status(secret)).toBe(200);
    });
  });

  it('refuses a malformed request', async () => {
    await expectOAuthError(await revoke({ client_id: open.client_id }), 400, 'invalid_request');
    const url = `${gatehouse.origin}/api/v1/oauth/revoke`;
    await expectOAuthError(await fetch(`${url}?token=x`), 405, 'invalid_request');
    const body = new URLSearchParams([
      ['token', 'a'],
      ['token', 'b'],
      ['client_id', open.client_id],
    ]);
    await expectOAuthError(await fetch(url, { method: 'POST', body }), 400, 'invalid_request');
  });

  it('answers 503 while the database is unavailable, and revokes nothing', async () => {
    const tokens = await issue(open);
    const key = await gatehouse.createKey(tenant);
    await gatehouse.database.lock();
    const answers = [
      await revoke({ token: tokens.access_token, client_id: open.client_id }),
      await revoke({ token: tokens.refresh_token ?? '', client_id: open.client_id }),
      await revoke({ token: key.secret }),
    ];
    await gatehouse.database.unlock();
    for (const answer of answers) await expectOAuthError(answer, 503, 'temporarily_unavailable');
    expect(await status(tokens.access_token)).toBe(200);
    expect(await status(key.secret)).toBe(200);
  });
});
