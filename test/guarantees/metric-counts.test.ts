import { beforeAll, describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';
import { newBrowser, signIn } from '../support/browser/console.js';
import { getTokens, post } from '../support/oauth/oauth.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

describe('the metrics count', () => {
  const gatehouse = useOAuthWorld({
    env: { TRUST_PROXY: '127.0.0.1', REFRESH_GRACE_SECONDS: '0' },
  });
  beforeAll(async () => {});

  /** The value of a series; 0 if there is no such series. */
  async function valueOf(series: string): Promise<number> {
    const lines = (await gatehouse.register.metrics()).split('\n');
    return Number(lines.find((line) => line.startsWith(`${series} `))?.split(' ')[1] ?? 0);
  }
  /** By how much series grow. */
  async function growth(
    series: readonly string[],
    work: () => Promise<unknown>,
  ): Promise<readonly number[]> {
    const read = () => Promise.all(series.map(valueOf));
    const before = await read();
    await work();
    const after = await read();
    return after.map((value, index) => value - (before[index] ?? 0));
  }
  const refresh = (token: string) =>
    post(gatehouse, 'token', {
      grant_type: 'refresh_token',
      refresh_token: token,
      client_id: gatehouse.client.client_id,
    });

  it('sign-ins by outcome', async () => {
    const series = ['accepted', 'refused', 'throttled', 'busy'].map(
      (outcome) => `gatehouse_sign_ins_total{outcome="${outcome}"}`,
    );
    const grown = await growth(series, async () => {
      await signIn(newBrowser(gatehouse), gatehouse.user);
      await signIn(newBrowser(gatehouse), gatehouse.user, { password: 'not the password' });
      await signIn(newBrowser(gatehouse), gatehouse.user, { password: 'not this one either' });
    });
    expect(grown).toEqual([1, 2, 0, 0]);
  });

  it('tokens by grant type, and a refresh token that is used twice', async () => {
    const series = [
      'gatehouse_oauth_tokens_issued_total{grant_type="authorization_code"}',
      'gatehouse_oauth_tokens_issued_total{grant_type="refresh_token"}',
      'gatehouse_oauth_token_reuse_total{token="refresh_token"}',
      'gatehouse_refusals_total{code="invalid_grant"}',
    ];
    const grown = await growth(series, async () => {
      const { refresh_token: first = '' } = await getTokens(gatehouse, {
        client: gatehouse.client,
        user: gatehouse.user,
      });
      expect((await refresh(first)).status).toBe(200);
      expect((await refresh(first)).status).toBe(400);
    });
    expect(grown).toEqual([1, 1, 1, 1]);
  });

  it('refusals by a bounded number of codes', async () => {
    const series = ['unauthorized', 'not_found'].map(
      (code) => `gatehouse_refusals_total{code="${code}"}`,
    );
    const grown = await growth(series, async () => {
      await gatehouse.http.get('/api/v1/me');
      await gatehouse.http.get('/nothing/of/this/name');
    });
    expect(grown).toEqual([1, 1]);
  });

  it('flushes, failed flushes and pending entries', async () => {
    const tenant = await gatehouse.createTenant('umbrella');
    const key = await gatehouse.createKey(tenant);
    await gatehouse.app.activity.flush();
    const pending = 'gatehouse_background_pending{task="last_use"}';
    const series = ['success', 'failure'].map(
      (outcome) => `gatehouse_background_runs_total{task="last_use",outcome="${outcome}"}`,
    );
    const success = 'gatehouse_background_last_success_timestamp_seconds{task="last_use"}';
    expect(await valueOf(success)).toBeGreaterThan(Date.now() / 1000 - 60);

    const failed = await growth(series, async () => {
      await gatehouse.http.get('/api/v1/me').set(key.bearer);
      await gatehouse.database.query('ALTER TABLE credential_uses RENAME TO credential_uses_gone');
      await gatehouse.app.activity.flush();
    });
    await gatehouse.database.query('ALTER TABLE credential_uses_gone RENAME TO credential_uses');
    expect(failed).toEqual([0, 1]);
    expect(await valueOf(pending)).toBe(1);

    expect(await growth(series, () => gatehouse.app.activity.flush())).toEqual([1, 0]);
    expect(await valueOf(pending)).toBe(0);
  });

  it('rows that the cleanup deletes, by table', async () => {
    await signIn(newBrowser(gatehouse), gatehouse.user);
    const { dataSource, app, database } = gatehouse;
    const { signal } = new AbortController();
    const series = ['gatehouse_cleanup_deleted_rows_total{table="sessions"}'];
    const [{ count } = { count: 0 }] = await database.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM sessions',
    );
    expect(count).toBeGreaterThan(0);
    await database.shiftClock('91 days');
    const grown = await growth(series, () =>
      runCleanup(dataSource, signal, { auditRetentionDays: 365 }, app.work.countDeleted),
    );
    await database.shiftClock('0 seconds');
    expect(grown).toEqual([count]);
  });
});
