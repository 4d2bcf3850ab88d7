import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  createUser,
  getTokens,
  post,
  registerClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const CLIENTS_OWN = 'https://app.example.com';
const FOREIGN = 'https://elsewhere.example';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';

/** Origins that may read answers of the token endpoint. The library's own decision is overridden. */
describe('the token endpoint across origins', () => {
  const gatehouse = useGatehouse({ REFRESH_GRACE_SECONDS: '0' });
  let user: TestUser;
  beforeAll(async () => {
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  });

  async function refreshFrom(origin: string, metadata: Readonly<Record<string, unknown>>) {
    const client = await registerClient(gatehouse, metadata);
    const { refresh_token: token = '' } = await getTokens(gatehouse, { client, user });
    const fields = {
      grant_type: 'refresh_token',
      refresh_token: token,
      client_id: client.client_id,
      ...(client.client_secret !== undefined && { client_secret: client.client_secret }),
    };
    const good = await post(gatehouse, 'token', fields, { Origin: origin });
    expect(good.status).toBe(200);
    const bad = await post(gatehouse, 'token', fields, { Origin: origin });
    expect(bad.status).toBe(400);
    return [good, bad].map(({ headers }) => headers.get('Access-Control-Allow-Origin'));
  }

  it('lets any origin read the response to a public client', async () => {
    expect(await refreshFrom(FOREIGN, {})).toEqual(['*', '*']);
  });

  it('lets only the origins of a confidential client read its response', async () => {
    const metadata = { token_endpoint_auth_method: 'client_secret_post' };
    expect(await refreshFrom(CLIENTS_OWN, metadata)).toEqual([CLIENTS_OWN, CLIENTS_OWN]);
    expect(await refreshFrom(FOREIGN, metadata)).toEqual([null, null]);
    expect(await refreshFrom('null', metadata)).toEqual([null, null]);
  });

  it('lets only its origins read the error for a grant that a confidential client may not use', async () => {
    const client = await registerClient(gatehouse, {
      client_name: 'Server',
      token_endpoint_auth_method: 'client_secret_post',
    });
    const { client_id, client_secret = '' } = client;
    const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
    for (const [fields, error] of [
      [{ grant_type: 'client_credentials' }, 'unauthorized_client'],
      [{ grant_type: exchange, subject_token: 'x', subject_token_type: ACCESS }, 'invalid_request'],
    ] as const) {
      for (const [origin, reader] of [
        [CLIENTS_OWN, CLIENTS_OWN],
        [FOREIGN, null],
      ] as const) {
        const form = { ...fields, client_id, client_secret };
        const answer = await post(gatehouse, 'token', form, { Origin: origin });
        expect(await answer.json()).toMatchObject({ error });
        expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(reader);
      }
    }
  });

  it('lets any origin read the error for an unknown client', async () => {
    const fields = { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'cli_unknown' };
    const answer = await post(gatehouse, 'token', fields, { Origin: FOREIGN });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('*');
  });
});
