import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Role } from '../../src/scopes/roles.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { newBrowser, signIn } from '../support/browser/console.js';
import { createUser, mainOf, type Browser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PAGE = '/settings/usage';

describe('the page of usage', () => {
  const gatehouse = useGatehouse({ RATE_LIMIT_TENANT_PER_HOUR: '100' });
  let acme: Tenant;
  let admin: Browser;
  beforeAll(async () => {
    acme = await gatehouse.createTenant('acme');
    admin = await signedIn('company_admin');
  });

  async function signedIn(role: Role): Promise<Browser> {
    const browser = newBrowser(gatehouse);
    await signIn(browser, await createUser(gatehouse, [[acme, role]]));
    await gatehouse.database.query('DELETE FROM attempts');
    return browser;
  }
  const open = async (query = '', browser = admin) => {
    await gatehouse.app.activity.flush();
    return mainOf(await browser.open(`${PAGE}?tenant=acme${query}`));
  };

  it('shows the budget, the chart with its table, and the busiest keys by name', async () => {
    const key = await gatehouse.createKey(acme, {
      name: '<b>Bold & brave</b>',
      scopes: ['leads:read'],
    });
    const test = await gatehouse.createKey(acme, { name: 'Tester', environment: 'test' });
    for (let times = 0; times < 3; times += 1) {
      await gatehouse.http.get('/api/v1/me').set(key.bearer).expect(200);
    }
    await gatehouse.http.get('/api/v1/contacts').set(key.bearer).expect(403);
    await gatehouse.http.get('/api/v1/me').set(test.bearer).expect(200);
    const html = await open();

    expect(html).toContain('3 of 100 units used in the last hour, 97 left.');
    expect(html).toContain('<bdi dir="auto">&lt;b&gt;Bold &amp; brave&lt;/b&gt;</bdi>');
    expect(html).not.toContain('Tester');
    expect(html).toContain('aria-label="Requests in the last 24 hours: 3 × 2xx, 1 × 401/403."');
    expect(html).toMatch(/<td data-label="401\/403"><span>1<\/span>/);
    const inTest = await open('&env=test');
    expect(inTest).toContain('Tester');
    expect(inTest).toContain('1 of 100 units used');
    const one = await open(`&key=${key.id}&per=day`);
    expect(one).toContain('Requests in the last 30 days: 3 × 2xx, 1 × 401/403.');
  });

  it('says when nothing was sent, and takes no nonsense from its address', async () => {
    await gatehouse.createTenant('quiet');
    for (const query of ['&per=century', '&key=<script>', `&key=key_${'A'.repeat(26)}`]) {
      const html = await open(query);
      expect(html).toContain('What a request costs');
      expect(html).not.toContain('<script>');
    }
  });

  it('never shows the usage of another tenant', async () => {
    const other = await gatehouse.createTenant('other');
    const key = await gatehouse.createKey(other, { name: 'Foreign' });
    await gatehouse.http.get('/api/v1/me').set(key.bearer).expect(200);
    const html = await open(`&key=${key.id}`);
    expect(html).not.toContain('Foreign');
    expect(html).toContain('Requests in the last 24 hours: none.');
    expect((await admin.open(`${PAGE}?tenant=other`)).status).toBe(403);
  });

  it.each([
    ['company_admin', 200],
    ['manager', 200],
    ['member', 403],
    ['field_crew', 403],
    ['viewer', 403],
  ] as const)('answers %s with %i, and is in the sidebar accordingly', async (role, status) => {
    const browser = await signedIn(role);
    const page = await browser.open(`${PAGE}?tenant=acme`);
    expect(page.status).toBe(status);
    const tokens = await browser.open('/settings/tokens');
    expect(tokens.html.includes(`href="${PAGE}?`)).toBe(status === 200);
  });
});
