import { describe, expect, it } from '@jest/globals';

import { countClients, register } from '../support/app/clients.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const REDIRECT = 'https://app.example.com/cb';
const BASE = { client_name: 'App', redirect_uris: [REDIRECT] };

describe('POST /api/v1/oauth/register', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });

  const post = (body: object | string, address?: string) => register(gatehouse, body, address);

  describe('400 invalid_redirect_uri', () => {
    const refused: readonly [string, unknown][] = [
      ['none', undefined],
      ['null', null],
      ['an empty list', []],
      ['empty ones', ['', null]],
      ['one text', REDIRECT],
      ['a number', [REDIRECT, 7]],
      ['eleven', Array.from({ length: 11 }, (_, n) => `${REDIRECT}/${n}`)],
      ['one that runs a script', [REDIRECT, 'javascript:alert(document.domain)//']],
      ['one that is a document', ['data:text/html,<script>alert(1)</script>']],
      ['one without TLS', ['http://app.example.com/cb']],
      ['one of the cloud', ['https://169.254.169.254/latest/meta-data']],
      ['one of the network', ['https://[::ffff:10.0.0.1]/cb']],
      ['one with a user', ['https://claude.ai@evil.example/cb']],
      ['one with a backslash', ['https://evil.example\\@claude.ai/cb']],
      ['one with a fragment', [`${REDIRECT}#`]],
      ['one with a wildcard for a scheme', ['*://evil.example/cb']],
      ['one that breaks the line', ['https://app.example.com/cb\r\nSet-Cookie: a=b']],
      ['one that is endless', [`${REDIRECT}?${'x'.repeat(2000)}`]],
      ['16,300', Array(16_300).fill('')],
      ['thousands', Array.from({ length: 1500 }, (_, n) => `${REDIRECT}/${n}`)],
    ];
    it.each(refused)('for %s, and nothing is stored', async (_what, redirect_uris) => {
      const before = await countClients(gatehouse);
      const answer = await post({ ...BASE, redirect_uris });

      expect(answer.status).toBe(400);
      expect(answer.body).toEqual({
        error: 'invalid_redirect_uri',
        // RFC 6749 §5.2 restricts the characters.
        error_description: expect.stringMatching(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/),
      });
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(answer.text).not.toContain('evil');
      expect(await countClients(gatehouse)).toBe(before);
    });
  });

  it.each([
    [{ client_name: 5 }, 'client_name: must be a string'],
    [{ scope: {} }, 'scope: must be a string'],
    [{ grant_types: 'authorization_code' }, 'grant_types: must be a list'],
    [{ response_types: [7] }, 'response_types.0: must be a string'],
    [{ grant_types: Array(101).fill('x') }, 'grant_types: must have at most 100 entries'],
    [{ redirect_uris: [7] }, 'redirect_uris.0: must be a string'],
  ])('describes the fault of %j without quoting it', async (more, description) => {
    const answer = await post({ ...BASE, ...more });
    expect(answer.status).toBe(400);
    expect(answer.body.error_description).toBe(description);
  });

  it('applies the rules of redirect URIs to post_logout_redirect_uris', async () => {
    for (const uri of ['javascript:alert(1)', 'http://evil.example/', 'https://a.example/#f', 7]) {
      const answer = await post({ ...BASE, post_logout_redirect_uris: [uri] });

      expect(answer.status).toBe(400);
      expect(answer.body.error).toBe('invalid_redirect_uri');
    }
    const many = Array.from({ length: 11 }, (_, index) => `https://a.example/${index}`);
    expect((await post({ ...BASE, post_logout_redirect_uris: many })).status).toBe(400);
  });

  describe('400 invalid_client_metadata', () => {
    const refused: readonly [string, object][] = [
      ['a name of another type', { client_name: 7 }],
      ['a name of 201 characters', { client_name: 'x'.repeat(201) }],
      ['NUL in a name', { client_name: 'a\0b' }],
      ['a lone surrogate', { client_name: 'a\ud800b' }],
      ['no grant that there is', { grant_types: ['client_credentials'] }],
      ['only refreshing', { grant_types: ['refresh_token'] }],
      ['grants in one text', { grant_types: 'authorization_code' }],
      ['no response that there is', { response_types: ['token'] }],
      ['scopes as a list', { scope: ['contacts:read'] }],
      ['private_key_jwt without a key', { token_endpoint_auth_method: 'private_key_jwt' }],
      ['an unknown method', { token_endpoint_auth_method: 'magic' }],
      ['a method of another type', { token_endpoint_auth_method: {} }],
      ['an unknown type', { application_type: 'spa' }],
      ['a long software id', { software_id: 'x'.repeat(201) }],
      ['a long version', { software_version: 'x'.repeat(201) }],
      ['an endless name', { client_name: 'x'.repeat(60_000) }],
      ['a name of blanks', { client_name: ' '.repeat(60_000) }],
      ['endless scopes', { scope: 'x '.repeat(30_000) }],
      ['endless grants', { grant_types: Array(15_000).fill('x') }],
      ['endless responses', { response_types: Array(15_000).fill('x') }],
      [
        'more than 8 KB in all',
        {
          redirect_uris: Array.from({ length: 10 }, (_, n) => `${REDIRECT}/${n}${'x'.repeat(900)}`),
        },
      ],
    ];
    it.each(refused)('for %s', async (_what, more) => {
      const answer = await post({ ...BASE, ...more });

      expect(answer.status).toBe(400);
      expect(answer.body).toEqual({
        error: 'invalid_client_metadata',
        error_description: expect.stringMatching(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/),
      });
    });

    it.each(['{', 'nonsense', '[]', 'null', '7', '"text"', '[{}]'])(
      'for a body that is not a JSON object: %s',
      async (body) => {
        const answer = await post(body);

        expect(answer.status).toBe(400);
        expect(answer.body.error).toBe('invalid_client_metadata');
      },
    );

    it('for bytes that are not UTF-8, and for very long lists', async () => {
      const bytes = await gatehouse.http
        .post('/api/v1/oauth/register')
        .set('Content-Type', 'application/json')
        .send(Buffer.from([0x22, 0xff, 0x22]).toString('latin1'));
      expect(bytes.status).toBe(400);

      const deep = await post(`${'['.repeat(30_000)}${']'.repeat(30_000)}`);
      expect(deep.status).toBe(400);
      const within = `{"x":${'['.repeat(30_000)}${']'.repeat(30_000)},"redirect_uris":["${REDIRECT}"]}`;
      expect((await post(within)).status).toBe(201);
    });
  });

  describe('405, 413 and 415', () => {
    it('answers 405 to other methods', async () => {
      const answer = await gatehouse.http.get('/api/v1/oauth/register');

      expect(answer.status).toBe(405);
      expect(answer.headers['allow']).toBe('POST, OPTIONS');
      expect(answer.body.error).toBe('invalid_request');
    });

    it('answers 413 to more than 64 KiB', async () => {
      const answer = await post({ ...BASE, padding: 'x'.repeat(64 * 1024) });

      expect(answer.status).toBe(413);
      expect(answer.body.error).toBe('invalid_request');
    });

    it.each([
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=latin1',
    ])('answers 415 to %s', async (type) => {
      const answer = await gatehouse.http
        .post('/api/v1/oauth/register')
        .set('Content-Type', type)
        .send(JSON.stringify(BASE));

      expect(answer.status).toBe(415);
      expect(answer.body.error).toBe('invalid_request');
    });
  });
});
