import { describe, expect, it } from '@jest/globals';

import { getTokens } from '../support/oauth/oauth.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

/** RFC 6749 §3.1: the server must ignore unrecognized parameters. */
describe('a parameter of an authorization request', () => {
  const gatehouse = useOAuthWorld();

  it.each<Record<string, string>>([
    { nonce: 'n' },
    { max_age: '600' },
    { max_age: '0' },
    { max_age: 'never' },
    { claims: '{"id_token":{"email":null}}' },
    { claims: '{' },
    { claims_locales: 'de' },
    { id_token_hint: 'x.y.z' },
    { acr_values: 'urn:mace:incommon:iap:silver' },
    { nonce: 'n', max_age: '1', id_token_hint: 'x', acr_values: '0' },
    { scope: '', nonce: 'n' },
  ])('that is for OpenID Connect is ignored without the scope openid: %j', async (parameters) => {
    const tokens = await getTokens(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
      parameters: {
        scope: 'contacts:read',
        ...parameters,
      },
    });
    expect(tokens.scope).toContain('contacts:read');
    expect(tokens.id_token).toBeUndefined();
  });

  it.each<Record<string, string>>([
    { audience: 'https://elsewhere.example' },
    { access_type: 'offline', include_granted_scopes: 'true' },
    { display: 'popup', ui_locales: 'de', login_hint: 'x'.repeat(1000) },
    { foo: 'bar', __proto__x: 'y', constructor: 'x', toString: 'x' },
    { authorization_details: '[{"type":"x"}]' },
    { web_message_uri: 'https://elsewhere.example' },
    { code: 'x', error: 'access_denied', grantId: 'x' },
  ])('that is not known is ignored: %j', async (parameters) => {
    const scope = 'openid contacts:read';
    const tokens = await getTokens(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
      parameters: {
        scope,
        ...parameters,
      },
    });
    expect(tokens.scope).toBe('contacts:read openid');
  });

  it('claims is ignored with openid too, as the metadata states', async () => {
    const parameters = { scope: 'openid', claims: '{"id_token":{"email":{"essential":true}}}' };
    expect(
      (await getTokens(gatehouse, { client: gatehouse.client, user: gatehouse.user, parameters }))
        .scope,
    ).toBe('openid');
  });
});
