import { beforeAll, describe, expect, it } from '@jest/globals';

import { CONSOLE_PAGES } from '../../src/console/navigation.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { signedInBrowser, type SignedInBrowser } from '../support/browser/session.js';
import { createUser, getTokens, mainOf, registerClient } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const gatehouse = useGatehouse();
let acme: Tenant;
let secret: TestKey;
let publishable: TestKey;
let theirs: TestKey;
let ada: SignedInBrowser;
let bob: SignedInBrowser;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  const bolt = await gatehouse.createTenant('bolt');
  secret = await gatehouse.createKey(acme, { name: 'Nightly <b>sync</b>' });
  const scopes = ['products:read'];
  publishable = await gatehouse.createKey(acme, { name: 'Website', kind: 'publishable', scopes });
  theirs = await gatehouse.createKey(bolt, { name: 'Nightly theirs', kind: 'publishable', scopes });
  const user = await createUser(gatehouse, [[acme, 'company_admin']]);
  ada = await signedInBrowser(gatehouse, user);
  bob = await signedInBrowser(gatehouse, await createUser(gatehouse, [[acme, 'viewer']]));
  const client = await registerClient(gatehouse, { client_name: 'Planner <img>' });
  await getTokens(gatehouse, { client, user });
});

const search = async ({ browser }: SignedInBrowser, q: string, env = 'live') => {
  const query = new URLSearchParams({ tenant: 'acme', env, q });
  const page = await browser.open(`/settings/search?${query.toString()}`);
  expect(page.status).toBe(200);
  return mainOf(page);
};

describe('/settings/search', () => {
  it('finds the publishable key of the environment, to copy', async () => {
    const found = await search(bob, 'API');
    expect(found).toContain(`data-copy="${publishable.secret}"`);
    expect(found).not.toContain(theirs.secret);
    const [ids = ''] = (await search(bob, 'organization id')).split('<template');
    expect(ids).toContain(`data-copy="${acme.id}"`);
    expect(ids).not.toMatch(/<small[^>]*><bdi>tnt_/);
    expect(await search(bob, 'API', 'test')).not.toContain(publishable.secret);
  });

  it('finds secret keys by name and last four, never to be copied', async () => {
    for (const query of ['nightly', secret.secret.slice(-4), secret.id]) {
      const found = await search(ada, query);
      expect(found).toContain(`/settings/api-keys/${secret.id}`);
      expect(found).toContain('Nightly &lt;b&gt;sync&lt;/b&gt;');
      expect(found).not.toContain(secret.secret);
      expect(found).not.toContain('Nightly theirs');
    }
    expect(await search(bob, 'nightly')).not.toContain('Nightly');
    const manager = await createUser(gatehouse, [[acme, 'manager']]);
    const carl = await signedInBrowser(gatehouse, manager);
    const [, list = ''] =
      /href="([^"]+search=key_[^"]+)"/.exec(await search(carl, 'nightly')) ?? [];
    const page = await carl.browser.open(list.replaceAll('&amp;', '&'));
    expect([page.status, mainOf(page)]).toEqual([
      200,
      expect.stringContaining('Nightly &lt;b&gt;'),
    ]);
    expect(await search(ada, manager.email)).toContain(`/settings/members/of/${manager.id}`);
  });

  it("finds the visitor's own personal tokens, and nobody else's", async () => {
    const sent = { name: 'Laptop script', access: 'read' };
    const made = await bob.call('POST', '/personal-access-tokens', sent);
    const { id } = made.data as { id: string };
    for (const env of ['live', 'test']) {
      expect(await search(bob, 'laptop', env)).toContain(`/settings/tokens/${id}`);
    }
    expect(await search(ada, 'laptop')).not.toContain('Laptop');
  });

  it('finds pages, actions, apps and places by the role', async () => {
    expect(await search(ada, 'new api')).toContain('/settings/api-keys/new');
    expect(await search(ada, 'planner')).toContain('Planner &lt;img&gt;');
    expect(await search(ada, 'test')).toContain('Switch to test');
    expect(await search(ada, acme.id)).toContain(`data-copy="${acme.id}"`);
    expect(await search(ada, 'audit')).toContain('/settings/audit-log');
    expect(await search(bob, 'audit')).not.toContain('/settings/audit-log');
    expect(await search(bob, 'new api')).not.toContain('/settings/api-keys/new');
    const everything = await search(ada, '');
    for (const { path } of CONSOLE_PAGES) expect(everything).toContain(`"${path}?tenant=acme`);
    expect(await search(bob, 'planner')).not.toContain('Planner');
    expect(await search(ada, '"><script>alert(1)</script>')).toContain('Nothing matches');
    expect(await search(ada, '"><script>')).not.toContain('<script>');
  });

  it('names each group by the things that it holds', async () => {
    const headings = async (q: string) =>
      [...(await search(ada, q)).matchAll(/<h2>([^<]+)/g)].map(([, heading]) => heading);
    expect(await headings('nightly')).toEqual(['Keys']);
    expect(await headings('planner')).toEqual(['Connected apps']);
    expect(await headings('example.com')).toEqual(['Members']);
  });

  it('finds an app behind newer installations of another, until it is disconnected', async () => {
    const user = await createUser(gatehouse, [[acme, 'viewer']]);
    const old = await registerClient(gatehouse, { client_name: 'Ledger Été export' });
    await getTokens(gatehouse, { client: old, user });
    await gatehouse.database.query(
      `INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects, issue_seq, keep_until)
       SELECT 'grt_newer' || n, $1, $2, (SELECT id FROM clients WHERE name = 'Planner <img>'), '{}', '{}', 'https://a.example/',
         ARRAY['grt_newer' || n], nextval('issue_order'), gatehouse_now() + interval '9 days' FROM generate_series(1, 150) n`,
      [acme.id, user.id],
    );
    const carl = await signedInBrowser(gatehouse, user);

    for (const visitor of [ada, carl]) {
      expect(await search(visitor, 'EXPORT ledger')).toContain('Ledger Été export');
      expect(await search(visitor, 'ledger planner')).not.toContain('connected app');
    }
    expect(await search(bob, 'ledger')).not.toContain('Ledger');

    await carl.call('POST', '/connected-apps/disconnect', { clientId: old.client_id });
    for (const visitor of [ada, carl]) {
      const found = await search(visitor, 'ledger');
      expect(found).not.toContain('Été');
      expect(found).toMatch(
        /Nothing matches[^]+href="\/settings\/search\?tenant=acme&amp;env=live">Clear the search/,
      );
    }
  });

  it('finds every app that matches, some at a time, behind those that ended', async () => {
    await gatehouse.database.query(
      `WITH made AS (INSERT INTO clients (id, name, metadata)
         SELECT 'cli_catalog' || lpad(n::text, 2, '0'), 'Catalog ' || n, '{}' FROM generate_series(1, 60) n RETURNING id)
       INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects, issue_seq, keep_until)
       SELECT 'grt_' || made.id, $1, (SELECT min(account_id) FROM memberships WHERE tenant_id = $1), made.id, '{}', '{}',
         'https://a.example/', ARRAY['grt_' || made.id], nextval('issue_order'),
         gatehouse_now() + CASE WHEN made.id > 'cli_catalog48' THEN interval '1 day' ELSE interval '-1 s' END FROM made`,
      [acme.id],
    );
    const names: string[] = [];
    let page = await search(ada, 'catalog');
    let next: string | undefined;
    let pages = 0;
    do {
      const [listed = ''] = page.split('<template');
      names.push(...[...listed.matchAll(/Catalog \d+/g)].map(([name]) => name));
      next = /href="([^"]+cursor=[^"]+)"/.exec(page)?.[1]?.replaceAll('&amp;', '&');
      pages += 1;
      if (next !== undefined) page = mainOf(await ada.browser.open(next));
    } while (next !== undefined);
    expect(names).toEqual(Array.from({ length: 12 }, (_, index) => `Catalog ${index + 49}`));
    expect(pages).toBeLessThan(8);

    const other = { q: 'Planner', cursor: 'Y2xpX2NhdGFsb2c0OA.forged' };
    const forged = await ada.browser.open(
      `/settings/search?${new URLSearchParams(other).toString()}`,
    );
    expect(forged.status).toBe(400);
  });

  it('leads to the lists where more matches than it shows', async () => {
    for (let n = 1; n <= 6; n++) await gatehouse.createKey(acme, { name: `Batch ${n}` });
    const found = await search(ada, 'batch');
    const [, list = ''] =
      /href="(\/settings\/api-keys\?[^"]+)"><bdi dir="auto">More in API keys/.exec(found) ?? [];
    const page = mainOf(await ada.browser.open(list.replaceAll('&amp;', '&')));
    for (let n = 1; n <= 6; n++) expect(page).toContain(`Batch ${n}`);
  });

  it('is offered on every page of the settings', async () => {
    const { html } = await ada.browser.open('/settings/tokens?tenant=acme');
    expect(html).toContain('href="/settings/search?tenant=acme&amp;env=live" data-palette');
  });

  it.each(['\u0000', '%', '_', ' '.repeat(300), 'x'.repeat(5000), '🏗️'])(
    'takes the text %#',
    async (q) => {
      expect(await search(ada, q)).toContain('<h1>');
    },
  );
});
