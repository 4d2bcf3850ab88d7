import { describe, expect, it } from '@jest/globals';

import { register } from '../support/app/clients.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const BASE = { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] };

describe('POST /api/v1/oauth/register, for OpenID Connect', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });

  const post = (body: object) => register(gatehouse, body);

  it('echoes the algorithm of id_tokens, which makes another public client', async () => {
    const ids = new Set();
    for (const [given, kept] of [
      [undefined, 'RS256'],
      [null, 'RS256'],
      ['', 'RS256'],
      ['RS256', 'RS256'],
      ['none', 'RS256'],
      ['HS256', 'RS256'],
      ['x'.repeat(5000), 'RS256'],
      [['ES256'], 'RS256'],
      ['ES256', 'ES256'],
    ]) {
      const answer = await post({ ...BASE, id_token_signed_response_alg: given });
      expect(answer.status).toBe(201);
      expect(answer.body).toMatchObject({ id_token_signed_response_alg: kept });
      ids.add(answer.body.client_id);
    }
    expect(ids.size).toBe(2);
  });

  it('stores post_logout_redirect_uris, by the rules of redirect URIs', async () => {
    const uris = ['https://app.example.com/bye?a=%2F', 'http://127.0.0.1:8080/bye', 'myapp://bye/'];
    const answer = await post({ ...BASE, post_logout_redirect_uris: uris });
    expect(answer.body).toMatchObject({ post_logout_redirect_uris: uris });
    const other = ['http://127.0.0.1:9090/bye', ...uris.toReversed().toSpliced(1, 1)];
    const again = await post({ ...BASE, post_logout_redirect_uris: other });

    // Loopback ports and the order do not change the client.
    expect(again.body.client_id).toBe(answer.body.client_id);
    expect((await post(BASE)).body.client_id).not.toBe(answer.body.client_id);
  });
});
