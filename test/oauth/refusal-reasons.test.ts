import { beforeAll, describe, expect, it } from '@jest/globals';

import { createAccountStore } from '../../src/accounts/account-store.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  getTokens,
  post,
  registerClient,
  type TestClient,
} from '../support/oauth/oauth.js';
import { authenticationOf, getCodeForm, refresh } from '../support/oauth/oauth-requests.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

type Fields = Readonly<Record<string, string>>;

interface LogLine {
  readonly requestId?: string;
  readonly code?: string;
  readonly reason?: string;
}

describe('the logged reason of a refused OAuth request', () => {
  const gatehouse = useOAuthWorld();
  let other: TestClient;
  let confidential: TestClient;
  beforeAll(async () => {
    other = await registerClient(gatehouse);
    confidential = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_basic',
    });
  });

  /** The code and the reason in the log line of the request that was answered. */
  async function logged(answer: Response): Promise<string> {
    const requestId = answer.headers.get('X-Request-Id');
    const lines = gatehouse.logged
      .map((line) => JSON.parse(line) as LogLine)
      .filter((line) => line.requestId === requestId);
    expect(lines).toHaveLength(1);
    return `${lines[0]?.code}: ${lines[0]?.reason}`;
  }
  const token = (fields: Fields, headers: Fields = {}) => post(gatehouse, 'token', fields, headers);
  const used = async () => {
    const form = await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user });
    expect((await token(form)).status).toBe(200);
    return form;
  };
  async function later<Result>(by: string, work: () => Promise<Result>): Promise<Result> {
    await gatehouse.database.shiftClock(by);
    const result = await work();
    await gatehouse.database.shiftClock('0 seconds');
    return result;
  }

  it.each<[string, () => Promise<Response>]>([
    [
      'invalid_grant: authorization code is expired',
      async () => {
        const form = await getCodeForm(gatehouse, {
          client: gatehouse.client,
          user: gatehouse.user,
        });
        return later('61 seconds', () => token(form));
      },
    ],
    ['invalid_grant: already consumed: its grant was ended', async () => token(await used())],
    [
      'invalid_grant: already consumed: its grant was ended',
      async () => token({ ...(await used()), code_verifier: createPkce().verifier }),
    ],
    [
      'invalid_grant: grant ended',
      async () => {
        const form = await used();
        await token(form);
        return token(form);
      },
    ],
    [
      'invalid_grant: code_verifier does not match code_challenge',
      async () =>
        token({
          ...(await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user })),
          code_verifier: createPkce().verifier,
        }),
    ],
    [
      'invalid_grant: code_verifier must be provided',
      async () =>
        token({
          ...(await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user })),
          code_verifier: '',
        }),
    ],
    [
      'invalid_grant: authorization code redirect_uri mismatch',
      async () =>
        token({
          ...(await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user })),
          redirect_uri: 'https://app.example.com/other',
        }),
    ],
    [
      'invalid_grant: issued to another client',
      async () =>
        token({
          ...(await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user })),
          ...authenticationOf(other),
        }),
    ],
    [
      'invalid_grant: authorization code not found',
      async () =>
        token({
          ...(await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user })),
          code: gatehouse.format.mint('ac'),
        }),
    ],
  ])('of a code: %s', async (reason, ask) => {
    const answer = await ask();
    expect(await logged(answer)).toBe(reason);
    const body = await answer.text();
    expect(body).not.toMatch(/expired|consumed|ended|verifier|mismatch|another|not found/);
  });

  it.each<[string, () => Promise<Response>]>([
    ['malformed token', () => refresh(gatehouse, gatehouse.client, 'x')],
    ['unknown token', () => refresh(gatehouse, gatehouse.client, gatehouse.format.mint('rt'))],
    ['issued to another client', async () => refresh(gatehouse, other, await fresh())],
    [
      'expired',
      async () => {
        const old = await fresh();
        return later('30 days 1 hour', () => refresh(gatehouse, gatehouse.client, old));
      },
    ],
    [
      'already consumed: its grant was ended',
      async () => {
        const old = await fresh();
        await refresh(gatehouse, gatehouse.client, old);
        return later('61 seconds', () => refresh(gatehouse, gatehouse.client, old));
      },
    ],
    [
      'grant ended',
      async () => {
        const old = await fresh();
        await post(gatehouse, 'revoke', { token: old, ...authenticationOf(gatehouse.client) });
        return refresh(gatehouse, gatehouse.client, old);
      },
    ],
    [
      'membership ended',
      async () => {
        const member = await createUser(gatehouse, [[gatehouse.tenant, 'company_admin']]);
        const tokens = await getTokens(gatehouse, { client: gatehouse.client, user: member });
        await createAccountStore(gatehouse.dataSource.manager).leave(
          gatehouse.tenant.id,
          member.id,
        );
        return refresh(gatehouse, gatehouse.client, tokens.refresh_token);
      },
    ],
  ])('of a refresh token: %s', async (reason, ask) => {
    const answer = await ask();
    expect(answer.status).toBe(400);
    expect(await logged(answer)).toBe(`invalid_grant: ${reason}`);
    expect(await answer.json()).toEqual({
      error: 'invalid_grant',
      error_description: 'grant request is invalid',
    });
  });
  const fresh = async () =>
    (await getTokens(gatehouse, { client: gatehouse.client, user: gatehouse.user }))
      .refresh_token ?? '';

  it('names the fault of a client', async () => {
    const basic = (text: string) => ({ Authorization: `Basic ${btoa(text)}` });
    const { client_id: id, client_secret: secret = '' } = confidential;
    const form = { grant_type: 'refresh_token', refresh_token: 'x' };
    const cases: readonly [string, Fields, Fields][] = [
      ['unknown client', { client_id: 'cli_unknown' }, {}],
      ['unknown client', {}, basic(`cli_unknown:${secret}`)],
      ['wrong client_secret', {}, basic(`${id}:wrong`)],
      ['wrong client_secret', { client_id: id, client_secret: 'wrong' }, {}],
      ['client_secret is missing', { client_id: id }, {}],
      ['client_id is missing', {}, {}],
      ['unreadable Authorization header', {}, { Authorization: 'Basic %%%' }],
    ];
    for (const [reason, fields, headers] of cases) {
      for (const [endpoint, more] of [
        ['token', form],
        ['revoke', { token: 'x' }],
      ] as const) {
        const answer = await post(gatehouse, endpoint, { ...more, ...fields }, headers);
        expect(answer.status).toBe(401);
        expect(await logged(answer)).toBe(`invalid_client: ${reason}`);
      }
    }
    const code = { grant_type: 'authorization_code', code: 'x', redirect_uri: 'x' };
    const unknown = await token({ ...code, client_id: 'cli_unknown' });
    expect(await logged(unknown)).toBe('invalid_client: client not found');
    const wrong = await token(code, basic(`${id}:wrong`));
    expect(await logged(wrong)).toBe('invalid_client: invalid secret provided');
  });

  it('names the faults of scopes, resources and requests', async () => {
    const cases: readonly [RegExp, Fields][] = [
      [/^invalid_scope: .*not granted/, { scope: 'leads:read' }],
      [/^invalid_target: resource/, { resource: 'https://elsewhere.example' }],
      [/^invalid_request: refresh_token is missing/, { refresh_token: '' }],
    ];
    const old = await fresh();
    for (const [reason, fields] of cases) {
      expect(await logged(await refresh(gatehouse, gatehouse.client, old, fields))).toMatch(reason);
    }
    const json = await fetch(`${gatehouse.origin}/api/v1/oauth/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{}',
    });
    expect(await logged(json)).toBe('invalid_request: Send the body as a URL-encoded form.');
  });

  it('names the fault of an authorization request', async () => {
    const url = new URL(
      authorizeUrl(gatehouse.config.ISSUER, {
        client_id: gatehouse.client.client_id,
        code_challenge: createPkce().challenge,
        response_type: 'token',
      }),
    );
    const answer = await fetch(gatehouse.origin + url.pathname + url.search, {
      redirect: 'manual',
    });
    expect(await logged(answer)).toMatch(/^unsupported_response_type: ./);
  });

  it('never contains a secret', async () => {
    const form = await used();
    const old = await fresh();
    await token(form);
    await refresh(gatehouse, other, old);
    await refresh(gatehouse, gatehouse.client, old, { scope: old, resource: old });
    const log = gatehouse.logged.join('');
    for (const secret of [form['code'], form['code_verifier'], old]) {
      expect(log).not.toContain(secret);
    }
  });
});
