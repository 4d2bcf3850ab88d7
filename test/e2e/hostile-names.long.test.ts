import { expect, it } from '@jest/globals';

import { createProducts } from '../support/app/products.js';
import { postContact } from '../support/app/contacts.js';
import { createSpace } from '../support/app/spaces.js';
import { useWalks } from '../support/browser/walks.js';
import { getTokens, registerClient } from '../support/oauth/oauth.js';

/** Names as an attacker would choose them: each would run a script in a page that does not escape it. */
const HOSTILE = `x'"><script>pwned()</script><img src=x onerror=pwned()>`;
const REDIRECT = `https://app.example.com/callback?'onclick='pwned()`;
const MOST_PAGES = 150;
const walks = useWalks();

/** Puts the name wherever somebody can choose one. */
async function plant(): Promise<void> {
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
}

it('names that hold scripts are text on every page that links lead to', async () => {
  const page = await walks.open(walks.admin, '/settings/api-keys');
  await plant();
  const alarms: string[] = [];
  page.on('dialog', (dialog) => {
    alarms.push(dialog.message());
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) alarms.push(message.text());
  });
  page.on('pageerror', (error) => alarms.push(error.message));
  const seen = new Set<string>();
  const waiting = ['/settings/api-keys', '/settings/search?tenant=acme&env=live&q=x'];
  let shown = 0;
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    if (seen.has(path) || seen.size >= MOST_PAGES) continue;
    seen.add(path);
    await page.goto(walks.issuer + path);
    const found = await page.evaluate<{ injected: number; text: string; links: string[] }>(`({
      injected: document.querySelectorAll('img[src="x"], script:not([src]), [onclick], [onmouseover], [onerror]').length,
      text: document.body.innerText,
      links: [...document.querySelectorAll('a[href^="/settings"]')].map((a) => a.getAttribute('href')),
    })`);
    expect({ path, injected: found.injected }).toEqual({ path, injected: 0 });
    if (found.text.includes(HOSTILE)) shown += 1;
    // Downloads and further pages of lists show nothing else.
    waiting.push(...found.links.filter((link) => !/exports|cursor=|#/.test(link)));
  }
  expect(alarms).toEqual([]);
  expect(seen.size).toBeGreaterThan(40);
  expect(shown).toBeGreaterThan(30);
}, 120_000);
