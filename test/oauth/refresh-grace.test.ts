import { describe, expect, it } from '@jest/globals';

import { eraseExpiredAnswers } from '../../src/grants/grant-cleanup.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import { getTokens, registerClient, type TokenResponse } from '../support/oauth/oauth.js';
import { expectOAuthError, refresh, statusOfToken } from '../support/oauth/oauth-requests.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

describe('a refresh within REFRESH_GRACE_SECONDS', () => {
  const gatehouse = useOAuthWorld();

  const again = (token: string | undefined, more = {}) =>
    refresh(gatehouse, gatehouse.client, token, more);
  const read = async (answer: Response) => (await answer.json()) as TokenResponse;
  /** A token that was just used, and its response. */
  async function used(more = {}) {
    const { refresh_token: token, access_token: access } = await getTokens(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
    });
    const successor = await read(await again(token, more));
    return { token, access, successor };
  }
  async function expectDead({ access, successor }: Awaited<ReturnType<typeof used>>) {
    expect(await statusOfToken(gatehouse, access)).toBe(401);
    expect(await statusOfToken(gatehouse, successor.access_token)).toBe(401);
    await expectOAuthError(await again(successor.refresh_token), 400, 'invalid_grant');
  }

  it('returns the same successor to the same request, ten times', async () => {
    const { token, access, successor } = await used();
    await gatehouse.database.shiftClock('40 seconds');
    for (let repeat = 0; repeat < 10; repeat++) {
      const answer = await again(token);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('Cache-Control')).toContain('no-store');
      expect(await read(answer)).toEqual(successor);
    }
    await expectOAuthError(await again(token), 400, 'invalid_grant');
    await expectDead({ token, access, successor });
    await gatehouse.database.shiftClock('0 seconds');
  });

  it('leaves the successor valid', async () => {
    const { token, successor } = await used();
    expect(await read(await again(token))).toEqual(successor);
    expect(await statusOfToken(gatehouse, successor.access_token)).toBe(200);
    expect((await again(successor.refresh_token)).status).toBe(200);
  });

  it('returns the same successor to parallel requests', async () => {
    const { refresh_token: token } = await getTokens(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
    });
    const answers = await Promise.all(Array.from({ length: 8 }, () => again(token)));
    const pairs = await Promise.all(answers.map(read));
    expect(pairs[0]?.refresh_token).toMatch(/^bwp_rt_/);
    for (const pair of pairs) expect(pair).toEqual(pairs[0]);
    expect((await again(pairs[0]?.refresh_token)).status).toBe(200);
  });

  it('recognizes the same request in another spelling', async () => {
    const all = 'contacts:read offline_access';
    const spellings = [
      {},
      { scope: '' },
      { scope: all },
      { scope: 'offline_access contacts:read' },
      { scope: ' offline_access  contacts:read contacts:read ' },
      { resource: `${gatehouse.config.ISSUER}/api/v1` },
      { scope: all, resource: `${gatehouse.config.ISSUER}/api/v1/?mode=x`, unknown: 'x' },
      { resource: `${gatehouse.config.ISSUER.toUpperCase()}/api/v1` },
    ];
    for (const first of spellings) {
      const { token, successor } = await used(first);
      for (const spelling of spellings) {
        expect(await read(await again(token, spelling))).toEqual(successor);
      }
    }
  });

  it('treats other parameters as reuse', async () => {
    for (const more of [
      { scope: 'contacts:read' },
      { scope: 'contacts:read contacts:write' },
      { resource: gatehouse.config.ISSUER },
      { resource: 'https://elsewhere.example' },
    ]) {
      const family = await used();
      expect((await again(family.token, more)).status).toBe(400);
      await expectDead(family);
    }
  });

  it('treats a repeat as reuse after the window', async () => {
    const family = await used();
    await gatehouse.database.shiftClock('61 seconds');
    await expectOAuthError(await again(family.token), 400, 'invalid_grant');
    await gatehouse.database.shiftClock('0 seconds');
    await expectDead(family);
  });

  it('treats a repeat as reuse once the successor was used', async () => {
    const family = await used();
    expect((await again(family.successor.refresh_token)).status).toBe(200);
    await expectOAuthError(await again(family.token), 400, 'invalid_grant');
    await expectDead(family);
  });

  it('answers invalid_grant to another client', async () => {
    const { token, successor } = await used();
    const other = await registerClient(gatehouse);
    const answer = await refresh(gatehouse, other, token);
    await expectOAuthError(answer, 400, 'invalid_grant');
    expect(await statusOfToken(gatehouse, successor.access_token)).toBe(200);
  });

  it('answers 503 while the tenant is suspended', async () => {
    const { token, successor } = await used();
    const tenants = createTenantStore(gatehouse.dataSource.manager);
    await tenants.setSuspended(gatehouse.tenant.id, true);
    const answer = await again(token);
    await tenants.setSuspended(gatehouse.tenant.id, false);
    await expectOAuthError(answer, 503, 'temporarily_unavailable');
    expect(await read(await again(token))).toEqual(successor);
  });

  it('answers invalid_grant once the family has ended', async () => {
    const { token, successor } = await used();
    await fetch(`${gatehouse.origin}/api/v1/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: gatehouse.client.client_id,
        token: successor.refresh_token ?? '',
      }),
    });
    await expectOAuthError(await again(token), 400, 'invalid_grant');
  });

  it('stores the response encrypted, and only until the window is over', async () => {
    const { successor } = await used();
    const kept = () =>
      gatehouse.database.query<{ answer: Buffer }>(
        'SELECT answer FROM refresh_tokens WHERE answer IS NOT NULL',
      );
    expect((await kept()).length).toBeGreaterThan(0);
    const dump = await gatehouse.database.dump();
    for (const secret of [successor.access_token, successor.refresh_token ?? '']) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
    }
    await gatehouse.database.shiftClock('61 seconds');
    await eraseExpiredAnswers(gatehouse.dataSource.manager);
    expect(await kept()).toEqual([]);
    await gatehouse.database.shiftClock('0 seconds');
  });

  it('erases the response once the successor is used', async () => {
    const { successor } = await used();
    const answerOf = (token = '') =>
      gatehouse.database.query<{ kept: boolean }>(
        'SELECT answer IS NOT NULL AS kept FROM refresh_tokens WHERE digest = ANY ($1)',
        [gatehouse.keyring.digests(token)],
      );
    expect(await answerOf(successor.refresh_token)).toEqual([{ kept: true }]);
    expect((await again(successor.refresh_token)).status).toBe(200);
    expect(await answerOf(successor.refresh_token)).toEqual([{ kept: false }]);
  });
});
