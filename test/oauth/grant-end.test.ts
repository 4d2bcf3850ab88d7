import { beforeAll, describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';
import { useGatehouseBehindProxy } from '../support/app/use-gatehouse.js';
import {
  createUser,
  getTokens,
  registerClient,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import { expectOAuthError, refresh, statusOfToken } from '../support/oauth/oauth-requests.js';

const DAYS = 20;
const HOUR = 3600;

describe('GRANT_MAX_DAYS', () => {
  const gatehouse = useGatehouseBehindProxy({ GRANT_MAX_DAYS: String(DAYS) });
  let user: TestUser;
  let client: TestClient;
  beforeAll(async () => {
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
    client = await registerClient(gatehouse);
  });

  async function shiftClock(by: string): Promise<void> {
    await gatehouse.database.shiftClock(by);
    // The partitions for that time, as servers create them every minute.
    await runCleanup(gatehouse.dataSource, new AbortController().signal);
  }
  /** Maximum lifetime of a refresh token in seconds. */
  async function lifeOf(token = ''): Promise<number> {
    const [row] = await gatehouse.database.query<{ seconds: number }>(
      `SELECT extract(epoch FROM expires_at - gatehouse_now())::float8 AS seconds
       FROM refresh_tokens WHERE digest = ANY ($1)`,
      [gatehouse.keyring.digests(token)],
    );
    return row?.seconds ?? -1;
  }

  it('ends older families when it is lowered', async () => {
    const { refresh_token: token } = await getTokens(gatehouse, { client, user });
    await gatehouse.database.query(
      `UPDATE grants SET created_at = created_at - make_interval(days => $1)`,
      [DAYS],
    );
    await expectOAuthError(await refresh(gatehouse, client, token), 400, 'invalid_grant');
    await gatehouse.database.query('DELETE FROM grants');
  });

  it('ends a family that is refreshed continuously, and no token outlives it', async () => {
    const parameters = { scope: 'contacts:read offline_access' };
    let tokens = await getTokens(gatehouse, { client, user, parameters });
    expect(await lifeOf(tokens.refresh_token)).toBeLessThanOrEqual(DAYS * 24 * HOUR);
    for (const day of [7, 14, DAYS - 1]) {
      await shiftClock(`${day} days`);
      const answer = await refresh(gatehouse, client, tokens.refresh_token);
      expect(answer.status).toBe(200);
      tokens = (await answer.json()) as TokenResponse;
      expect(tokens.expires_in).toBe(HOUR);
      expect(await lifeOf(tokens.refresh_token)).toBeLessThanOrEqual((DAYS - day) * 24 * HOUR);
    }

    await shiftClock(`${DAYS} days -10 minutes`);
    tokens = (await (
      await refresh(gatehouse, client, tokens.refresh_token)
    ).json()) as TokenResponse;
    expect(tokens.expires_in).toBeLessThanOrEqual(600);
    expect(tokens.expires_in).toBeGreaterThan(500);
    expect(await statusOfToken(gatehouse, tokens.access_token)).toBe(200);

    await shiftClock(`${DAYS} days 1 second`);
    expect(await statusOfToken(gatehouse, tokens.access_token)).toBe(401);
    const over = await refresh(gatehouse, client, tokens.refresh_token);
    await expectOAuthError(over, 400, 'invalid_grant');

    // Cleanup deletes the grant soon after its last token.
    const grants = () => gatehouse.database.query('SELECT FROM grants');
    expect(await grants()).toHaveLength(1);
    await shiftClock(`${DAYS + 2} days`);
    expect(await grants()).toHaveLength(0);
    await gatehouse.database.shiftClock('0 days');
  });
});
