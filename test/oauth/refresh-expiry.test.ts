import { expect, it } from '@jest/globals';

import { maintainPartitions } from '../../src/db/partitions.js';
import { createTestApp } from '../support/app/app.js';
import {
  createUser,
  getTokens,
  registerClient,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import { expectOAuthError, refresh } from '../support/oauth/oauth-requests.js';

it('a refresh token and each successor expire after thirty days', async () => {
  const gatehouse = await createTestApp();
  const tenant = await gatehouse.createTenant('acme');
  const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  const client = await registerClient(gatehouse);
  const refreshAfter = async (time: string, token: string | undefined) => {
    await gatehouse.database.shiftClock(time);
    await maintainPartitions(gatehouse.dataSource);
    return refresh(gatehouse, client, token);
  };

  const first = await getTokens(gatehouse, { client, user });
  const second = await refreshAfter('29 days 23 hours', first.refresh_token);
  expect(second.status).toBe(200);
  const { refresh_token: token } = (await second.json()) as TokenResponse;
  const third = await refreshAfter('59 days', token);
  expect(third.status).toBe(200);
  const last = ((await third.json()) as TokenResponse).refresh_token;
  await expectOAuthError(await refreshAfter('90 days', last), 400, 'invalid_grant');
  await gatehouse.close();
});
