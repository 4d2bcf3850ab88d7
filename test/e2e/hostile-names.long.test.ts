import { beforeAll, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';

import { createProducts } from '../support/app/products.js';
import { postContact } from '../support/app/contacts.js';
import { createSpace } from '../support/app/spaces.js';
import { csrfOf, postForm } from '../support/browser/console.js';
import { signedInBrowser } from '../support/browser/session.js';
import { signInAs, useWalks } from '../support/browser/walks.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  getTokens,
  registerClient,
  type TestClient,
} from '../support/oauth/oauth.js';

/** Names as an attacker would choose them: each would run a script in a page that does not escape it. */
const HOSTILE = `x'"><script>pwned()</script><img src=x onerror=pwned()>`;
const REDIRECT = `https://app.example.com/callback?'onclick='pwned()`;
const MOST_PAGES = 150;
const walks = useWalks();

/** Puts the name wherever somebody can choose one. @returns the client of that name */
async function plant(): Promise<TestClient> {
  const { gatehouse, acme, admin, member } = walks;
  const { database } = gatehouse;
  const key = await gatehouse.createKey(acme, { name: HOSTILE });
  for (const kind of ['publishable', 'service', 'agent', 'organization']) {
    const scopes = kind === 'organization' ? ['spaces:manage'] : ['products:read'];
    await gatehouse.createKey(acme, { name: HOSTILE, kind, scopes });
  }
  await postContact(gatehouse, key, { type: 'customer', firstName: HOSTILE, companyName: HOSTILE });
  await createProducts(gatehouse, acme, [{ name: HOSTILE, sku: HOSTILE.slice(0, 40) }]);
  await createSpace(gatehouse, acme, HOSTILE);
  for (const user of [admin, member]) {
    const browser = await signedInBrowser(gatehouse, user);
    const token = { name: HOSTILE, access: 'read' };
    expect((await browser.call('POST', '/personal-access-tokens', token)).status).toBe(201);
  }
  await database.query('UPDATE tenants SET name = $1', [HOSTILE]);
  await database.query('UPDATE accounts SET name = $1', [HOSTILE]);
  const client = await registerClient(gatehouse, {
    client_name: HOSTILE,
    client_uri: `https://evil.example/?'onmouseover='pwned()`,
    redirect_uris: [REDIRECT],
  });
  for (const user of [admin, member]) {
    await getTokens(gatehouse, {
      client,
      user,
      tenantId: acme.id,
      parameters: { redirect_uri: REDIRECT },
    });
  }
  await database.query(
    `INSERT INTO audit_log (tenant_id, actor, action, subject, details, address)
     VALUES ($1, $2, 'api_key.update', $3, jsonb_build_object('before', $4::text, 'after', $4::text), '203.0.113.7')`,
    [acme.id, admin.id, key.id, HOSTILE],
  );
  const blocked = await registerClient(gatehouse, { client_name: `${HOSTILE} 2` });
  await database.query('INSERT INTO client_blocks (client_id, tenant_id) VALUES ($1, $2)', [
    blocked.client_id,
    acme.id,
  ]);
  return client;
}

/** Collects what a script of the page would do, and what its policy refuses. */
function alarmsOf(page: Page): readonly string[] {
  const alarms: string[] = [];
  page.on('dialog', (dialog) => {
    alarms.push(dialog.message());
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) alarms.push(message.text());
  });
  page.on('pageerror', (error) => alarms.push(error.message));
  return alarms;
}

interface Seen {
  readonly injected: number;
  readonly text: string;
  readonly links: readonly string[];
}

const look = (page: Page) =>
  page.evaluate<Seen>(`({
    injected: document.querySelectorAll('img[src="x"], script:not([src]), [onclick], [onmouseover], [onerror]').length,
    text: document.body.innerText,
    links: [...document.querySelectorAll('a[href^="/settings"]')].map((a) => a.getAttribute('href')),
  })`);

/** Visits every page that links lead to. */
async function crawl(page: Page): Promise<{ readonly seen: number; readonly shown: number }> {
  const seen = new Set<string>();
  const waiting = ['/settings/api-keys', '/settings/search?tenant=acme&env=live&q=x'];
  let shown = 0;
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    if (seen.has(path) || seen.size >= MOST_PAGES) continue;
    seen.add(path);
    await page.goto(walks.issuer + path);
    const { injected, text, links } = await look(page);
    expect({ path, injected }).toEqual({ path, injected: 0 });
    if (text.includes(HOSTILE)) shown += 1;
    // Downloads and further pages of lists show nothing else.
    waiting.push(...links.filter((link) => !/exports|cursor=|#/.test(link)));
  }
  return { seen: seen.size, shown };
}

let client: TestClient;
beforeAll(async () => {
  client = await plant();
});

it.each([
  ['an administrator', () => walks.admin, { seen: 40, shown: 30 }],
  ['a member', () => walks.member, { seen: 12, shown: 8 }],
] as const)(
  'names that hold scripts are text on every page that links lead %s to',
  async (_, user, least) => {
    const page = await walks.open(user(), '/settings/api-keys', { userAgent: HOSTILE });
    const alarms = alarmsOf(page);
    const { seen, shown } = await crawl(page);
    expect(alarms).toEqual([]);
    expect(seen).toBeGreaterThan(least.seen);
    expect(shown).toBeGreaterThan(least.shown);
  },
  120_000,
);

it('they are text on the pages before and beside the settings', async () => {
  const { gatehouse, issuer, acme } = walks;
  const second = await gatehouse.createTenant('second');
  await gatehouse.database.query('UPDATE tenants SET name = $1', [HOSTILE]);
  const user = await createUser(gatehouse, [
    [acme, 'manager'],
    [second, 'manager'],
  ]);
  await gatehouse.database.query('UPDATE accounts SET name = $1', [HOSTILE]);
  const page = await walks.newPage();
  const alarms = alarmsOf(page);
  const expectText = async (name: string) => {
    const { injected, text } = await look(page);
    expect({ name, injected, isShown: text.includes(`'"><script>`) }).toEqual({
      name,
      injected: 0,
      isShown: true,
    });
  };
  const { challenge } = createPkce();
  const { client_id } = client;
  const request = {
    client_id,
    code_challenge: challenge,
    redirect_uri: REDIRECT,
    prompt: 'consent',
  };
  await page.goto(authorizeUrl(issuer, request));
  await expectText('login');
  await signInAs(page, user.email);
  await page.getByRole('heading', { name: 'Choose an organization' }).waitFor();
  await expectText('choice');
  await page.locator('.choices button').first().click();
  await page.getByRole('heading', { name: /^Allow/ }).waitFor();
  await expectText('consent');

  const admin = await signedInBrowser(gatehouse, walks.admin);
  const csrf = csrfOf(await admin.browser.open('/settings/members?tenant=acme'));
  const fields = { csrf, emails: 'guest@example.com', role: 'viewer' };
  await postForm(admin.browser, '/settings/members/invite?tenant=acme', fields);
  await page.goto(await walks.linkTo('guest@example.com'));
  await expectText('invitation');
  const key = await gatehouse.createKey(acme, { name: HOSTILE });
  const asAdmin = await walks.open(walks.admin, '/settings/tester');
  const others = alarmsOf(asAdmin);
  await asAdmin.getByLabel('Paste a credential').fill(key.secret);
  await asAdmin.getByRole('button', { name: 'Test', exact: true }).click();
  await asAdmin.getByRole('heading', { name: /^Accepted/ }).waitFor();
  const { injected, text } = await look(asAdmin);
  expect([injected, text.includes(HOSTILE)]).toEqual([0, true]);
  expect([alarms, others]).toEqual([[], []]);
});
