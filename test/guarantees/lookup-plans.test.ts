import { beforeAll, describe, expect, it } from '@jest/globals';

import { maintainPartitions } from '../../src/db/partitions.js';
import { getTokens, post, type TokenResponse } from '../support/oauth/oauth.js';
import { probesOf, recordStatements } from '../support/database/plans.js';
import { refresh, statusOf } from '../support/oauth/token-families.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

/** As many partitions as a lookup may probe (decision 16). */
const PROBED = 2;

/** As many tokens as make an index probe cheaper than a scan, over all times at which one can expire. */
const FILL = `
  INSERT INTO access_tokens (digest, digest_key_id, id, tenant_id, account_id, client_id, grant_id, scopes, audience,
      subjects, issue_seq, issued_at, expires_at)
    SELECT md5(n::text), 'x', 'tok_' || n, '', '', '', '', '{}', '', '{}', 0, gatehouse_now(),
      gatehouse_now() + interval '1 second' * (n % 3600) FROM generate_series(1, 20000) n;
  INSERT INTO refresh_tokens (digest, digest_key_id, id, grant_id, payload, issued_at, expires_at)
    SELECT md5(n::text), 'x', 'tok_' || n, '', '{}', gatehouse_now(),
      gatehouse_now() + interval '1 minute' * (n % (30 * 1440)) FROM generate_series(1, 40000) n;
  INSERT INTO oauth_artifacts (digest, digest_key_id, kind, payload, expires_at)
    SELECT md5(n::text), 'x', 'AuthorizationCode', '{}',
      gatehouse_now() + interval '1 second' * (n % 3600) FROM generate_series(1, 20000) n`;

/** Days after the start: borders of partitions lie at different distances, with partitions behind them. */
describe.each([0, 1, 20, 34])('the lookup of a token, %s days on', (days) => {
  const gatehouse = useOAuthWorld({
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
  });
  let tokens: TokenResponse;
  beforeAll(async () => {
    for (let day = 0; day <= days; day++) {
      await gatehouse.database.shiftClock(`${day} days`);
      await maintainPartitions(gatehouse.dataSource);
    }
    await gatehouse.database.query(FILL);
    await gatehouse.database.query('ANALYZE');
  });

  const probesDuring = async (beginning: string, table: string, work: () => Promise<unknown>) => {
    const statements = await recordStatements(beginning, work);
    const concerned = statements.filter(
      ({ text }) => text.includes(table) && !text.includes('INSERT'),
    );
    expect(concerned.length).toBeGreaterThan(0);
    const probes = [];
    for (const each of concerned) probes.push(await probesOf(gatehouse.database, each, table));
    return probes;
  };
  const introspect = (token = '') =>
    post(gatehouse, 'introspect', {
      token,
      client_id: gatehouse.client.client_id,
      client_secret: gatehouse.client.client_secret ?? '',
    });

  it.each([
    ['verify-', 'access_tokens', '/me', () => statusOf(gatehouse, tokens.access_token)],
    ['verify-', 'access_tokens', 'introspection', () => introspect(tokens.access_token)],
    ['verify-', 'refresh_tokens', 'introspection', () => introspect(tokens.refresh_token)],
    [
      ...(['verify-', 'refresh_tokens', 'a refresh'] as const),
      () => refresh(gatehouse, gatehouse.client, tokens.refresh_token),
    ],
    [
      ...(['grace-window-', 'refresh_tokens', 'a repeated refresh'] as const),
      async () => {
        await refresh(gatehouse, gatehouse.client, tokens.refresh_token);
        await refresh(gatehouse, gatehouse.client, tokens.refresh_token);
      },
    ],
    [
      'exchange-load',
      'oauth_artifacts',
      'an exchange',
      () => getTokens(gatehouse, { client: gatehouse.client, user: gatehouse.user }),
    ],
    [
      'interaction-',
      'oauth_artifacts',
      'a sign-in',
      () => getTokens(gatehouse, { client: gatehouse.client, user: gatehouse.user }),
    ],
  ])('(%s, %s) probes one or two partitions for %s', async (beginning, table, _what, work) => {
    tokens = await getTokens(gatehouse, { client: gatehouse.client, user: gatehouse.user });
    const probes = await probesDuring(beginning, table, work);
    for (const { partitions } of probes) {
      expect(partitions).toBeGreaterThan(0);
      expect(partitions).toBeLessThanOrEqual(PROBED);
    }
  });
});
