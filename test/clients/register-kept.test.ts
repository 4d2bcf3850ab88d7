import { describe, expect, it } from '@jest/globals';

import { register } from '../support/app/clients.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const REDIRECT = 'https://app.example.com/cb';
const BASE = { client_name: 'App', redirect_uris: [REDIRECT] };
const PUBLIC_ID = /^cli_[0-9a-f]{32}$/;

describe('the metadata that POST /api/v1/oauth/register stores', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });

  const post = (body: object | string, address?: string) => register(gatehouse, body, address);

  it('stores all known members', async () => {
    const answer = await post({
      ...BASE,
      grant_types: ['refresh_token', 'authorization_code'],
      scope: 'leads:read openid contacts:read offline_access contacts:read',
      contact: 'dev@example.com',
      contacts: ['ops@example.com', 'dev@example.com'],
      application_type: 'native',
      client_uri: 'https://app.example.com/#/about',
      logo_uri: 'https://cdn.example.com/logo.png',
      software_id: '4NRB1-0XZABZI9E6-5SM3R',
      software_version: '1.2.3',
    });

    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      grant_types: ['authorization_code', 'refresh_token'],
      scope: 'contacts:read leads:read offline_access openid',
      contacts: ['dev@example.com', 'ops@example.com'],
      application_type: 'native',
      client_uri: 'https://app.example.com/#/about',
      logo_uri: 'https://cdn.example.com/logo.png',
      software_id: '4NRB1-0XZABZI9E6-5SM3R',
      software_version: '1.2.3',
    });
    expect(answer.body).not.toHaveProperty('contact');
  });

  it('drops null, empty, unknown and unsupported members, as the response shows', async () => {
    const answer = await post({
      ...BASE,
      grant_types: ['authorization_code', 'implicit', 'client_credentials', 'password'],
      response_types: ['code', 'token', 'code id_token'],
      scope: 'contacts:read mcp:tools introspect api_keys:manage spaces:manage',
      contact: null,
      contacts: [],
      application_type: '',
      client_uri: '',
      logo_uri: null,
      software_id: '  ',
      jwks_uri: 'http://169.254.169.254/',
      sector_identifier_uri: 'http://127.0.0.1/',
      software_statement: 'x.y.z',
      client_id: 'cli_mine',
      client_secret: 'mine',
      is_verified: true,
      __proto__: { polluted: true },
      'client_name#fr': 'Autre',
    });

    expect(answer.status).toBe(201);
    const { client_id, client_id_issued_at, ...rest } = answer.body;
    expect(client_id).toMatch(PUBLIC_ID);
    expect(client_id_issued_at).toEqual(expect.any(Number));
    expect(Object.keys(rest).toSorted()).toEqual([
      'application_type',
      'client_name',
      'grant_types',
      'id_token_signed_response_alg',
      'redirect_uris',
      'registration_access_token',
      'registration_client_uri',
      'response_types',
      'scope',
      'token_endpoint_auth_method',
    ]);
    expect(rest).toMatchObject({
      grant_types: ['authorization_code'],
      response_types: ['code'],
      scope: 'contacts:read',
      application_type: 'web',
    });
  });

  it.each([
    ['a page on the developer’s machine', { client_uri: 'http://localhost:5173' }],
    ['a page without TLS', { client_uri: 'http://app.example.com/' }],
    ['a page that runs a script', { client_uri: 'javascript:alert(1)' }],
    ['a page of another type', { client_uri: ['https://app.example.com/'] }],
    ['a page that is too long', { client_uri: `https://a.example/${'x'.repeat(30_000)}` }],
    ['a page with credentials', { client_uri: 'https://user:secret@app.example.com/' }],
    ['a logo without TLS', { logo_uri: 'http://app.example.com/logo.png' }],
    ['a logo of the network', { logo_uri: 'https://192.168.0.1/logo.png' }],
    ['a logo that is data', { logo_uri: 'data:image/svg+xml,<svg onload=alert(1)>' }],
    ['a contact that is not an address', { contact: 'the office' }],
    ['contacts that are not addresses', { contacts: ['a@', 7, null, {}, 'b'] }],
    ['contacts in one text', { contacts: 'the office, https://app.example.com' }],
    ['contacts in an object', { contacts: { email: 'a@example.com' } }],
    ['endless contacts', { contacts: Array.from({ length: 3000 }, () => 'a@example.com') }],
    ['a long contact', { contact: `${'a'.repeat(10_000)}@example.com` }],
    ['terms and a policy', { tos_uri: 'x', policy_uri: 'http://localhost/', jwks_uri: 7 }],
  ])('drops %s', async (_what, more) => {
    const answer = await post({ ...BASE, ...more });

    expect(answer.status).toBe(201);
    for (const name of Object.keys(more)) expect(answer.body).not.toHaveProperty(name);
    expect(answer.body).not.toHaveProperty('contacts');
    expect(answer.body.client_id).toBe((await post(BASE)).body.client_id);
  });

  it('stores up to ten valid contacts', async () => {
    const some = await post({ ...BASE, contacts: ['a@example.com', 'b', ' c@example.com '] });
    expect(some.body.contacts).toEqual(['a@example.com', 'c@example.com']);
    const contacts = Array.from({ length: 12 }, (_, n) => `a${n}@example.com`);
    const many = await post({ ...BASE, contacts });
    expect(many.body.contacts).toEqual(contacts.slice(0, 10));
  });
});
