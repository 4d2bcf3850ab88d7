import { beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';

import { createUser, getTokens, post, registerClient } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const DOCUMENTS = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
] as const;

interface Metadata extends Readonly<Record<string, unknown>> {
  readonly issuer: string;
  readonly scopes_supported: readonly string[];
}

describe('metadata', () => {
  const gatehouse = useGatehouse();
  let metadata: Metadata;
  const get = (path: string, init: RequestInit = {}) => fetch(gatehouse.origin + path, init);
  beforeAll(async () => {
    metadata = (await (await get(DOCUMENTS[0])).json()) as Metadata;
  });

  it('is one document at both paths, as cacheable JSON', async () => {
    for (const path of DOCUMENTS) {
      const answer = await get(path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/);
      expect(answer.headers.get('Cache-Control')).toMatch(/^public, max-age=\d+$/);
      expect(await answer.json()).toEqual(metadata);
      expect((await get(path, { method: 'HEAD' })).status).toBe(200);
      expect((await get(path, { method: 'POST' })).status).toBe(405);
    }
  });

  it('lists the endpoints below the issuer', () => {
    const issuer = gatehouse.config.ISSUER;
    const at = (name: string) => `${issuer}/api/v1/oauth/${name}`;
    expect(metadata).toMatchObject({
      issuer,
      authorization_endpoint: at('authorize'),
      token_endpoint: at('token'),
      jwks_uri: at('jwks'),
      registration_endpoint: at('register'),
      revocation_endpoint: at('revoke'),
      introspection_endpoint: at('introspect'),
      userinfo_endpoint: at('userinfo'),
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256', 'ES256'],
    });
  });

  it('names only endpoints that exist', async () => {
    const endpoints = Object.entries(metadata).filter(([name]) => /_endpoint$|_uri$/.test(name));
    expect(endpoints).toHaveLength(10);
    for (const [name, url] of endpoints) {
      const { status } = await get(new URL(String(url)).pathname, { method: 'OPTIONS' });
      expect({ name, status }).toEqual({ name, status: 204 });
    }
    for (const resource of metadata['protected_resources'] as string[]) {
      const path = `/.well-known/oauth-protected-resource${new URL(resource).pathname}`;
      const answer = await get(path.replace(/\/$/, ''));
      expect(await answer.json()).toMatchObject({ resource });
    }
    expect((await get(new URL(String(metadata['service_documentation'])).pathname)).status).toBe(
      200,
    );
  });

  it('names every scope that can be granted, and no other', async () => {
    const tenant = await gatehouse.createTenant('acme');
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const client = await registerClient(gatehouse);
    const known = (await (await get('/api/v1/scopes')).json()) as { data: { name: string }[] };
    const all = [...known.data.map(({ name }) => name), ...metadata.scopes_supported];
    const scope = [...new Set([...all, 'openid', 'profile', 'email', 'offline_access'])].join(' ');
    const tokens = await getTokens(gatehouse, { client, user, parameters: { scope } });

    expect(tokens.scope.split(' ')).toEqual(metadata.scopes_supported);
    expect(metadata.scopes_supported).not.toContain('api_keys:manage');
  });

  it('names every way to authenticate that can be registered, and no other', async () => {
    const methods = metadata['token_endpoint_auth_methods_supported'] as string[];
    const ways = ['none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt'];
    for (const way of [...ways, 'private_key_jwt', 'tls_client_auth']) {
      const registered = await registerClient(gatehouse, {
        client_name: `By ${way}`,
        token_endpoint_auth_method: way,
        jwks: { keys: [await exportJWK((await generateKeyPair('ES256')).publicKey)] },
      }).then(
        () => true,
        (error: Error) => error.message.includes('slow_down') || error.message,
      );
      expect({ way, registered: registered === true }).toEqual({
        way,
        registered: methods.includes(way),
      });
    }
  });

  it('names every grant type that is answered, and no other', async () => {
    const client = { client_id: (await registerClient(gatehouse)).client_id };
    const named = metadata['grant_types_supported'] as string[];
    const others = ['password', 'implicit'];
    const urn = 'urn:ietf:params:oauth:grant-type:';
    for (const type of [...named, ...others, `${urn}device_code`, `${urn}token-exchange`]) {
      const answer = await post(gatehouse, 'token', { ...client, grant_type: type });
      const { error } = (await answer.json()) as { error: string };
      expect({ type, isKnown: error !== 'unsupported_grant_type' }).toEqual({
        type,
        isKnown: named.includes(type),
      });
    }
  });

  it('publishes public keys for RS256 and ES256, and nothing private', async () => {
    const answer = await get('/api/v1/oauth/jwks');
    expect(answer.headers.get('Content-Type')).toMatch(/^application\/jwk-set\+json/);
    const { keys } = (await answer.json()) as { keys: { alg: 'RS256' | 'ES256' }[] };
    expect(keys.map(({ alg }) => alg).toSorted()).toEqual(['ES256', 'RS256']);
    const common = { use: 'sig', kid: expect.stringMatching(/./) };
    const coordinate = expect.stringMatching(/^[\w-]{43}$/);
    const shapes = {
      ES256: { ...common, kty: 'EC', crv: 'P-256', alg: 'ES256', x: coordinate, y: coordinate },
      RS256: {
        ...common,
        kty: 'RSA',
        alg: 'RS256',
        e: 'AQAB',
        n: expect.stringMatching(/^[\w-]{342}$/),
      },
    };
    for (const key of keys) expect(key).toEqual(shapes[key.alg]);
  });
});
