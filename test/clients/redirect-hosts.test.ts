import { describe, expect, it } from '@jest/globals';

import { useGatehouseBehindProxy } from '../support/app/use-gatehouse.js';
import type { TestApp } from '../support/app/app.js';
import { register } from '../support/app/clients.js';
import { authorizeUrl, createBrowser, createPkce } from '../support/oauth/oauth.js';

const ALLOWED = 'N8N.lan,.internal,intranet';

describe('redirect URIs on private hosts', () => {
  const closed = useGatehouseBehindProxy();
  const open = useGatehouseBehindProxy({ REDIRECT_HOSTS_ALLOWED: ALLOWED });

  const post = (app: TestApp, ...redirect_uris: string[]) =>
    register(app, { client_name: 'App', redirect_uris });

  it.each([
    'https://n8n.lan/cb',
    'https://N8N.LAN:8443/cb?x=%2F',
    'https://n8n.lan./cb',
    'https://api.internal/cb',
    'https://a.b.internal/cb',
    'https://intranet/cb',
  ])('are accepted only if the operator allows them: %s', async (uri) => {
    const refused = await post(closed, uri);
    expect(refused.status).toBe(400);
    expect(refused.body.error).toBe('invalid_redirect_uri');

    const mixed = [uri, 'http://127.0.0.1:1/cb', 'cursor://x/cb', 'https://app.example.com/cb'];
    const answer = await post(open, ...mixed);
    expect(answer.status).toBe(201);
    expect(answer.body.redirect_uris).toEqual(mixed);
    const { origin, config } = open;
    const stop = await createBrowser({ origin, issuer: config.ISSUER }).open(
      authorizeUrl(config.ISSUER, {
        client_id: answer.body.client_id,
        redirect_uri: uri,
        code_challenge: createPkce().challenge,
      }),
    );
    expect(new URL(stop.url).pathname).toMatch(/^\/login\//);
  });

  it.each([
    'https://other.lan/cb',
    'https://n8n.lan.evil.lan/cb',
    'https://xn8n.lan/cb',
    'https://sub.n8n.lan/cb',
    'https://internal/cb',
    'https://myinternal/cb',
    'https://sub.intranet/cb',
    'https://n8n..lan/cb',
    'http://n8n.lan/cb',
    'https://user@n8n.lan/cb',
    'https://n8n.lan/cb#x',
    'https://localhost/cb',
    'https://192.168.1.5/cb',
    'https://3232235781/cb',
    'https://0xc0.0xa8.1.5/cb',
    'https://0300.0250.1.5/cb',
    'https://[fd00::1]/cb',
    'https://[::ffff:192.168.1.5]/cb',
    'https://[64:ff9b::c0a8:105]/cb',
    'https://[2002:c0a8:105::1]/cb',
    'https://[ff02::1]/cb',
    'https://[::]/cb',
    'https://0.0.0.0/cb',
    'https://224.0.0.1/cb',
    'https://10.0.0.1./cb',
  ])('are refused if only others are allowed: %s', async (uri) => {
    const answer = await post(open, 'https://app.example.com/cb', uri);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toBe('invalid_redirect_uri');
  });

  it('do not affect links: a page on a private host is dropped', async () => {
    const answer = await register(open, {
      redirect_uris: ['https://n8n.lan/cb'],
      client_uri: 'https://n8n.lan/',
    });
    expect(answer.status).toBe(201);
    expect(answer.body.client_name).toBe('n8n.lan');
    expect(answer.body).not.toHaveProperty('client_uri');
  });
});
