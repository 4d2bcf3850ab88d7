import { beforeAll, describe, expect, it } from '@jest/globals';

import { useGatehouse } from '../support/app/use-gatehouse.js';
import { createDeviceUser, type DeviceUser } from '../support/oauth/device.js';
import {
  createUser,
  mainOf,
  post,
  registerClient,
  type TestClient,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import { authenticationOf, expectOAuthError, refresh } from '../support/oauth/oauth-requests.js';
import {
  addResourceServer,
  resourcesCommand,
  type TestResourceServer,
} from '../support/oauth/resource-servers.js';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const SCOPE = 'contacts:read contacts:write offline_access';

interface Codes {
  readonly device_code: string;
  readonly user_code: string;
}

describe('the resource of a device (RFC 8628, RFC 8707)', () => {
  const gatehouse = useGatehouse();
  let client: TestClient;
  let person: DeviceUser;
  let files: TestResourceServer;
  let api: string;
  beforeAll(async () => {
    const tenant = await gatehouse.createTenant('acme');
    person = createDeviceUser(gatehouse, await createUser(gatehouse, [[tenant, 'company_admin']]));
    client = await registerClient(gatehouse, {
      grant_types: [DEVICE_GRANT, 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_post',
    });
    files = await addResourceServer(
      gatehouse,
      'https://files.example.com/api',
      '--scopes',
      'contacts:read',
    );
    api = `${gatehouse.config.ISSUER}/api/v1`;
  });

  const send = (endpoint: string, fields: object, resources: readonly string[]) =>
    fetch(`${gatehouse.origin}/api/v1/oauth/${endpoint}`, {
      method: 'POST',
      body: new URLSearchParams([
        ...Object.entries({ ...authenticationOf(client), ...fields }),
        ...resources.map((resource) => ['resource', resource]),
      ]),
    });
  async function begin(resources: readonly string[]): Promise<Codes> {
    return (await (await send('device', { scope: SCOPE }, resources)).json()) as Codes;
  }
  const poll = ({ device_code: code }: Codes, resources: readonly string[] = []) =>
    send('token', { grant_type: DEVICE_GRANT, device_code: code }, resources);
  async function issued(answer: Response): Promise<TokenResponse & { readonly aud: unknown }> {
    expect(answer.status).toBe(200);
    const tokens = (await answer.json()) as TokenResponse;
    const question = { token: tokens.access_token, ...authenticationOf(client) };
    const facts = (await (await post(gatehouse, 'introspect', question)).json()) as object;
    expect(facts).toMatchObject({ active: true, scope: tokens.scope });
    return Object.assign(tokens, { aud: (facts as { aud?: unknown }).aud });
  }

  it('limits the scopes of the consent and of the token to those that it takes', async () => {
    const asked = await begin([files.identifier]);
    const consent = await person.type(asked.user_code);
    expect(mainOf(consent)).not.toContain('contacts:write');
    await person.submit(consent, { decision: 'approve' });
    const tokens = await issued(await poll(asked));
    expect([tokens.aud, tokens.scope]).toEqual([files.identifier, 'contacts:read offline_access']);
  });

  it('is chosen by the poll among the granted ones (RFC 8707 §2.2)', async () => {
    const both = [api, files.identifier];
    for (const [resources, audience, scope] of [
      [[], api, SCOPE],
      [[`${files.identifier}/`], files.identifier, 'contacts:read offline_access'],
    ] as const) {
      const asked = await begin(both);
      await person.decide(asked.user_code, 'approve');
      const tokens = await issued(await poll(asked, resources));
      expect([tokens.aud, tokens.scope]).toEqual([audience, scope]);
      const refreshed = await refresh(gatehouse, client, tokens.refresh_token, { resource: api });
      expect((await issued(refreshed)).scope).toBe(SCOPE);
    }
  });

  it('is refused if it was not granted, and the code stays valid', async () => {
    const asked = await begin([api]);
    await person.decide(asked.user_code, 'approve');
    for (const resource of [files.identifier, 'https://elsewhere.example']) {
      await expectOAuthError(await poll(asked, [resource]), 400, 'invalid_target');
    }
    expect((await issued(await poll(asked))).aud).toBe(api);
  });

  it('is refused at the start if it takes nothing of the request', async () => {
    const answer = await send('device', { scope: 'contacts:write' }, [files.identifier]);
    await expectOAuthError(answer, 400, 'invalid_scope');
  });

  it('gets no token once it was removed', async () => {
    const gone = await addResourceServer(gatehouse, 'https://gone.example.com');
    const asked = await begin([gone.identifier]);
    await person.decide(asked.user_code, 'approve');
    await resourcesCommand(gatehouse, 'remove', gone.id);
    await expectOAuthError(await poll(asked), 400, 'invalid_grant');
  });
});
