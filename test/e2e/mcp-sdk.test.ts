import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  auth,
  extractWWWAuthenticateParams,
  type OAuthClientProvider,
} from '@modelcontextprotocol/sdk/client/auth.js';
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js';

import { ITSELF } from '../support/app/app.js';
import { approve, createUser, type TestUser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const STAYING = 'contacts:read offline_access';
const REDIRECT = 'http://localhost:8090/callback';

/** The storage of an MCP client, in memory. */
class Installation implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT;
  readonly forgotten: string[] = [];
  information: OAuthClientInformationMixed | undefined;
  kept: OAuthTokens | undefined;
  verifier = '';
  destination: URL | undefined;

  constructor(private readonly method = 'none') {}

  get clientMetadata(): OAuthClientMetadata {
    return {
      client_name: 'An MCP client',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: this.method,
    };
  }
  state = () => 'the state of the client';
  clientInformation = () => this.information;
  saveClientInformation(information: OAuthClientInformationMixed) {
    this.information = information;
  }
  tokens = () => this.kept;
  saveTokens(tokens: OAuthTokens) {
    this.kept = tokens;
  }
  redirectToAuthorization(url: URL) {
    this.destination = url;
  }
  saveCodeVerifier(verifier: string) {
    this.verifier = verifier;
  }
  codeVerifier = () => this.verifier;
  invalidateCredentials(scope: string) {
    this.forgotten.push(scope);
    if (scope === 'all' || scope === 'client') this.information = undefined;
    if (scope === 'all' || scope === 'tokens') this.kept = undefined;
  }
}

/** The MCP SDK, which knows nothing but the URL of the API. */
describe('the MCP SDK', () => {
  const gatehouse = useGatehouse({ ISSUER: ITSELF });
  let user: TestUser;
  let serverUrl: string;
  beforeAll(async () => {
    serverUrl = `${gatehouse.origin}/api/v1`;
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  });

  const call = (path: string, token?: string) =>
    fetch(serverUrl + path, {
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    });

  /** The challenge of a 401, in the form that the SDK's transports pass on. */
  async function refusalOf(path: string) {
    const refused = await call(path);
    expect(refused.status).toBe(401);
    const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(refused);
    return { serverUrl, resourceMetadataUrl, scope } as Parameters<typeof auth>[1];
  }

  /**
   * Gets tokens after a 401. If it names no scope, the client requests `offline_access`: the metadata of the
   * authorization server lists `offline_access`, those of the API never do.
   */
  async function connect(installation: Installation, path = '/me') {
    const refusal = await refusalOf(path);
    const options = { ...refusal, scope: refusal.scope ?? STAYING };
    expect(await auth(installation, options)).toBe('REDIRECT');
    const callback = await approve(gatehouse, String(installation.destination), { user });
    expect(callback.searchParams.get('state')).toBe(installation.state());
    const authorizationCode = callback.searchParams.get('code') ?? '';
    expect(await auth(installation, { ...options, authorizationCode })).toBe('AUTHORIZED');
  }

  it('requests the scopes that a 401 names, and no more', async () => {
    expect(await refusalOf('/contacts')).toMatchObject({
      resourceMetadataUrl: new URL('/.well-known/oauth-protected-resource/api/v1', serverUrl),
      scope: 'contacts:read',
    });
    const installation = new Installation();
    await connect(installation, '/contacts');
    expect(installation.kept).toMatchObject({ scope: 'contacts:read' });
    expect((await call('/contacts', installation.kept?.access_token)).status).toBe(200);
  });

  it.each(['none', 'client_secret_post', 'client_secret_basic'])(
    'registers, authorizes, and refreshes by %s',
    async (method) => {
      const installation = new Installation(method);
      await connect(installation);
      const asked = installation.destination?.searchParams;
      expect(asked?.get('resource')).toBe(serverUrl);
      const first = installation.kept;
      expect((await call('/contacts', first?.access_token)).status).toBe(200);
      expect(first?.refresh_token).toBeDefined();

      expect(await auth(installation, { serverUrl })).toBe('AUTHORIZED');
      expect(installation.kept?.access_token).not.toBe(first?.access_token);
      expect((await call('/contacts', installation.kept?.access_token)).status).toBe(200);
    },
  );

  it('asks again when its refresh token is dead, and registers again when its client is gone', async () => {
    const installation = new Installation();
    await connect(installation);
    const dead = { ...(installation.kept as OAuthTokens), refresh_token: 'bwp_rt_dead' };
    installation.kept = dead;
    expect(await auth(installation, { serverUrl })).toBe('REDIRECT');
    expect(installation.forgotten).toEqual(['tokens']);

    const { client_id: known } = installation.information ?? {};
    installation.information = { ...installation.information, client_id: 'cli_gone' };
    installation.kept = dead;
    expect(await auth(installation, { serverUrl, scope: STAYING })).toBe('REDIRECT');
    expect(installation.forgotten).toEqual(['tokens', 'all']);
    // The same app gets the same client.
    expect(installation.information).toMatchObject({ client_id: known });
  });

  it('survives five concurrent refreshes, and a lost response', async () => {
    const installation = new Installation();
    await connect(installation);
    const before = installation.kept;
    const refresh = async () => {
      // Each call has read the tokens before any of them has saved new ones.
      const own = new Installation();
      own.information = installation.information;
      own.kept = before;
      expect(await auth(own, { serverUrl })).toBe('AUTHORIZED');
      return own.kept;
    };
    const pairs = await Promise.all(Array.from({ length: 5 }, refresh));
    expect(new Set(pairs.map((pair) => pair?.refresh_token)).size).toBe(1);
    expect(await refresh()).toMatchObject({ refresh_token: pairs[0]?.refresh_token });

    installation.kept = pairs[4];
    expect(await auth(installation, { serverUrl })).toBe('AUTHORIZED');
    expect((await call('/contacts', installation.kept?.access_token)).status).toBe(200);
  });
});
