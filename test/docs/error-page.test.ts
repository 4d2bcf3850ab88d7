import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { PROBLEMS } from '../../src/http/errors/problem.js';

import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('GET /docs/errors', () => {
  const gatehouse = useGatehouse({ BRAND_NAME: '<b>Brand</b> & "Co"' });

  it('is the target of a problem’s type', async () => {
    const { type } = (await gatehouse.http.get('/api/v1/me')).body as { type: string };
    const { pathname, hash, origin } = new URL(type);
    const page = await gatehouse.http.get(pathname);

    expect(origin).toBe(gatehouse.config.ISSUER);
    expect(page.status).toBe(200);
    expect(page.text).toContain(`<section id="${hash.slice(1)}">`);
  });

  it('explains every code', async () => {
    const { text } = await gatehouse.http.get('/docs/errors');
    for (const code of Object.keys(PROBLEMS)) expect(text).toContain(`<section id="${code}">`);
    expect(text).toContain('The organization is suspended. The operator of this server knows why.');
  });

  it('runs no scripts, cannot be framed, and shows the brand as text', async () => {
    const { text, headers } = await gatehouse.http.get('/docs/errors');

    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['content-security-policy']).not.toContain('unsafe-');
    expect(text).not.toContain('<b>Brand');
    expect(text).toContain('&lt;b&gt;Brand&lt;/b&gt; &amp; &quot;Co&quot;');
  });
});

/** The codes of RFC 6749, 7591, 8628, 8707, 9101, 9449 and OpenID Connect Core that this server answers. */
const RFC_CODES = `
  invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type
  invalid_scope access_denied unsupported_response_type server_error temporarily_unavailable
  invalid_redirect_uri invalid_client_metadata authorization_pending slow_down expired_token
  invalid_target invalid_request_uri invalid_dpop_proof use_dpop_nonce login_required
  consent_required interaction_required
`
  .trim()
  .split(/\s+/);

describe('the codes of OAuth', () => {
  const gatehouse = useGatehouse();

  /** The codes that the sources give to errors of OAuth's endpoints. */
  const answered = () => {
    const texts = readdirSync(new URL('../../src', import.meta.url), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(new URL(`../../src/${name}`, import.meta.url), 'utf8'));
    const patterns = [
      /OAuthError\(\s*\d+,\s*'([a-z_]+)'/g,
      /CustomOIDCProviderError \{\s*constructor\([^)]*\) \{\s*super\('([a-z_]+)'/g,
      /\b(?:refused|refusal)\('([a-z_]+)'/g,
    ];
    const found = texts.flatMap((text) =>
      patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, code = '']) => code)),
    );
    return [...new Set(found)];
  };

  it('are explained, each once, with advice for the client', async () => {
    const { text } = await gatehouse.http.get('/docs/errors');
    const ids = [...text.matchAll(/<section id="(\w+)">/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(answered().length).toBeGreaterThan(15);
    for (const code of [...answered(), ...RFC_CODES]) expect(ids).toContain(code);
  });
});
