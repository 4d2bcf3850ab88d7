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
