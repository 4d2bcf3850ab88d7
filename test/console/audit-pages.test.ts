import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Role } from '../../src/scopes/roles.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { callApi, csrfOf, newBrowser, signIn } from '../support/browser/console.js';
import { createSpace } from '../support/app/spaces.js';
import {
  createUser,
  getTokens,
  mainOf,
  registerClient,
  type Browser,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PAGE = '/settings/audit-log';
const HOSTILE = '"><script>alert(1)</script>=1+1';

describe('the page of the audit log', () => {
  const gatehouse = useGatehouse({ AUDIT_RETENTION_DAYS: '90' });
  let acme: Tenant;
  let ann: TestUser;
  let admin: Browser;
  beforeAll(async () => {
    acme = await gatehouse.createTenant('acme');
    const other = await gatehouse.createTenant('other');
    ann = await createUser(gatehouse, [[acme, 'company_admin']]);
    admin = await signedIn(ann);
    await gatehouse.createKey(other, { name: 'Foreign' });
    await enter([
      {
        action: 'space.rename',
        subject: 'spc_x',
        details: { name: HOSTILE, before: { name: 'East' }, after: { name: HOSTILE } },
        request: 'req_X',
      },
      {
        action: 'credential.refused',
        actor: 'key_x',
        subject: 'key_x',
        details: { reason: 'revoked' },
        times: 1200,
      },
      { action: 'brand.new_action', subject: 'x', details: { list: ['a', 'b'], deep: { a: 1 } } },
    ]);
  });

  const enter = (rows: readonly object[]) =>
    gatehouse.database.query(
      `INSERT INTO audit_log (tenant_id, actor, action, subject, details, request_id, occurrences, address)
       SELECT $1, coalesce(actor, $2), action, subject, details, request, coalesce(times, 1), '192.0.2.7'
       FROM jsonb_to_recordset($3::jsonb) AS row (actor text, action text, subject text, details jsonb, request text, times int)`,
      [acme.id, ann.id, JSON.stringify(rows)],
    );
  async function signedIn(user: TestUser): Promise<Browser> {
    const browser = newBrowser(gatehouse);
    await signIn(browser, user);
    await gatehouse.database.query('DELETE FROM attempts');
    return browser;
  }
  const open = async (query = '') => admin.open(`${PAGE}?tenant=acme${query}`);

  it('says who did what to what, with details before and after, and when entries go', async () => {
    const page = await open();
    const html = mainOf(page);
    expect(page.status).toBe(200);
    expect(html).toContain('Entries are kept for 90 days.');
    expect(html).toMatch(/<strong>[^<]+<\/strong><\/bdi> renamed the space/);
    expect(html).toContain('<th scope="row">name</th>');
    expect(html).toContain('1,200 times: it is revoked');
    expect(html).toContain('brand new action');
    expect(html).toContain('{&quot;a&quot;:1}');
    expect(html).not.toContain('<script>alert');
    expect(html).not.toContain('Foreign');
  });

  it('leads from each object to its page, where the reader may open it', async () => {
    const space = await createSpace(gatehouse, acme, 'North yard');
    const bob = await createUser(gatehouse, [[acme, 'viewer']]);
    const app = await registerClient(gatehouse, { client_name: 'Planner' });
    await getTokens(gatehouse, { client: app, user: bob });
    const token = async (browser: Browser, name: string) => {
      const csrf = csrfOf(await browser.open('/settings/tokens?tenant=acme'));
      const path = '/api/v1/personal-access-tokens';
      const headers = { 'X-CSRF-Token': csrf };
      return (await callApi(browser, 'POST', path, headers, { name, access: 'read' })).status;
    };
    expect(await token(admin, 'Token of Ann')).toBe(201);
    expect(await token(await signedIn(bob), 'Token of Bob')).toBe(201);
    await gatehouse.createKey(acme, { name: 'Key of Acme' });
    await enter([
      { action: 'membership.update', subject: `${bob.id}@${acme.id}`, details: {} },
      { action: 'membership.update', subject: bob.id, details: {} },
      { action: 'space.update', subject: space, details: {} },
      { action: 'space.update', subject: 'spc_gone', details: { name: 'Gone yard' } },
      { action: 'client.revoke', subject: `${app.client_id}@${acme.id}`, details: {} },
      { action: 'tenant.update', subject: acme.id, details: {} },
    ]);
    const html = mainOf(await open());
    const links = [...html.matchAll(/<bdi dir="auto"><a href="([^"]+)">([^<]+)<\/a><\/bdi>/g)];
    const texts = links.map(([, , text = '']) => text);
    for (const name of ['Token of Ann', 'Key of Acme', 'North yard', 'Planner', acme.name]) {
      expect(texts).toContain(name);
    }
    expect(html).toContain('Token of Bob');
    expect(texts).not.toContain('Token of Bob');
    expect(texts).not.toContain('Gone yard');
    for (const [, href = '', text = ''] of links) {
      const page = await admin.open(href.replaceAll('&amp;', '&'));
      expect([href, page.status]).toEqual([href, 200]);
      expect(mainOf(page)).toContain(text);
    }
  });

  it('narrows by filters in its address, and shows their faults in place', async () => {
    const html = mainOf(await open('&action=space.rename&requestId=req_X'));
    expect(html.match(/<tr>\s*<td data-label="Time"/g)).toHaveLength(1);
    expect(html).toContain('<option value="space.rename" selected>');
    expect(html).toContain('name="requestId" type="text" value="req_X"');
    expect(html).toContain('Clear filters');
    expect(html).toContain('Export as CSV');
    expect(mainOf(await open('&actor=&from=&object=nothing'))).toContain('Nothing matches');

    const faulty = await open(`&from=${encodeURIComponent(HOSTILE)}`);
    expect(faulty.status).toBe(422);
    expect(faulty.html).toContain('id="from-error"');
    expect(faulty.html).not.toContain('<script>alert');
    expect(faulty.html).not.toContain('Export as CSV');
  });

  it('turns pages of 25, and refuses the cursor of another list', async () => {
    await enter(
      Array.from({ length: 60 }, (_, index) => ({
        action: 'test.page',
        subject: `row ${index}`,
        details: {},
      })),
    );
    const seen: string[] = [];
    let html = mainOf(await open('&action=test.page'));
    for (let pages = 0; pages < 3; pages += 1) {
      seen.push(...(html.match(/row \d+(?=<\/strong>)/g) ?? []));
      const next = /href="([^"]+)" rel="next"/.exec(html)?.[1]?.replaceAll('&amp;', '&');
      if (next === undefined) break;
      expect(next).toContain('action=test.page');
      html = mainOf(await admin.open(next));
    }
    expect(new Set(seen).size).toBe(60);
    const cursor = /cursor=([^"&]+)/.exec(mainOf(await open()))?.[1] ?? '';
    expect((await open(`&object=x&cursor=${cursor}`)).status).toBe(400);
  });

  it('exports what the filters show, for spreadsheets too', async () => {
    const csv = await admin.request(`${PAGE}/exports?tenant=acme&format=csv&action=space.rename`);
    expect(csv.status).toBe(200);
    expect(csv.headers.get('Content-Disposition')).toMatch(/attachment; filename="audit-log-/);
    const lines = (await csv.text()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(2);
    const jsonl = await admin.request(`${PAGE}/exports?tenant=acme&format=jsonl`);
    expect(await jsonl.text()).not.toContain('Foreign');
  });

  it('admits administrators only, who may also read it by the API of their session', async () => {
    for (const role of ['manager', 'member', 'field_crew', 'viewer'] as const satisfies Role[]) {
      const browser = await signedIn(await createUser(gatehouse, [[acme, role]]));
      const page = await browser.open(`${PAGE}?tenant=acme`);
      expect([role, page.status]).toEqual([role, 403]);
      expect(page.html).toContain('Ask');
      expect((await browser.request(`${PAGE}/exports?tenant=acme`)).status).toBe(403);
      const headers = { 'X-CSRF-Token': csrfOf(page) };
      expect((await browser.request('/api/v1/audit-log', { headers })).status).toBe(403);
      expect((await browser.request('/api/v1/usage/history', { headers })).status).toBe(403);
    }
    const headers = { 'X-CSRF-Token': csrfOf(await open()) };
    for (const path of ['audit-log', 'usage/history']) {
      expect((await admin.request(`/api/v1/${path}`, { headers })).status).toBe(200);
      expect((await admin.request(`/api/v1/${path}`)).status).toBe(401);
    }
  });
});
