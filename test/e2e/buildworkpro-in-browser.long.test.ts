import { describe, expect, it } from '@jest/globals';

import { asBearer, follow, makeKey, revokeKey, useWalks } from '../support/browser/walks.js';

/** API keys from the first to their end, walked in the order of BuildWorkPro's guide. */
const KEYS = '/settings/api-keys';
const walks = useWalks();

describe('an administrator', () => {
  it('makes a key with a clear name and few scopes, and calls the API with it', async () => {
    const page = await walks.open(walks.admin, '/settings/profile');
    await follow(page, 'API keys');
    await page.getByRole('link', { name: 'New key' }).first().click();
    const scopes = ['contacts:read', 'contacts:write', 'bids:send'];
    const key = await makeKey(page, { name: 'Nightly export', scopes });
    const command = await page.locator('#curl').innerText();
    expect(command).toContain(`${walks.issuer}/api/v1/me`);
    expect(await page.locator('#env').innerText()).toContain(`_API_KEY=${key}`);
    const answer = await fetch(`${walks.issuer}/api/v1/me`, { headers: asBearer(key) });
    const { data } = (await answer.json()) as { data: Record<string, unknown> };
    expect(data).toMatchObject({ keyName: 'Nightly export', tenantId: walks.acme.id, scopes });
    expect(await walks.statusOf('/products', asBearer(key))).toBe(403);
  });

  it('is told what is wrong at each field, and loses nothing that was entered', async () => {
    const page = await walks.open(walks.admin, `${KEYS}/new`, { javaScriptEnabled: false });
    await page.getByRole('textbox', { name: 'Name' }).fill('Export');
    await page.getByLabel('Allowed addresses').fill('203.0.113.0/24\nnowhere');
    await page.getByRole('button', { name: 'Create', exact: true }).last().click();
    await page.locator('#scopes-error').waitFor();
    await page.locator('#allowedIps-error').waitFor();
    expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('Export');
    expect(await page.getByLabel('Allowed addresses').inputValue()).toContain('nowhere');
  });

  it('restricts a key to addresses, sees the refusals, and changes the list on the same page', async () => {
    const page = await walks.open(walks.admin, `${KEYS}/new`);
    const fields = { name: 'Office only', scopes: ['contacts:read'], addresses: '203.0.113.7' };
    const key = await makeKey(page, fields);
    expect(await walks.statusOf('/me', asBearer(key))).toBe(401);
    await walks.gatehouse.app.activity.flush();
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('link', { name: 'Office only', exact: true }).click();
    const refusals = page.locator('section', {
      has: page.getByRole('heading', { name: 'Refused' }),
    });
    expect(await refusals.innerText()).toContain('address');
    await page.getByLabel('Allowed addresses').fill('203.0.113.7\n127.0.0.1');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').first().waitFor();
    expect(await walks.statusOf('/me', asBearer(key))).toBe(200);
  });

  it('rotates a key: both work until the new one is deployed, then the old one is ended', async () => {
    const old = await walks.gatehouse.createKey(walks.acme, { name: 'Quarterly' });
    const page = await walks.open(walks.admin, KEYS);
    await page.getByRole('link', { name: 'Quarterly', exact: true }).click();
    await page.getByLabel('The old key ends').selectOption({ label: 'In 24 hours' });
    await page.getByRole('button', { name: 'Rotate' }).click();
    const fresh = await page.locator('#secret').innerText();
    expect(await walks.statusOf('/me', old.bearer)).toBe(200);
    expect(await walks.statusOf('/me', asBearer(fresh))).toBe(200);
    await page.goto(`${walks.issuer}${KEYS}/${old.id}?tenant=acme`);
    await page.getByRole('button', { name: 'End now' }).click();
    await page.getByRole('status').first().waitFor();
    expect(await walks.statusOf('/me', old.bearer)).toBe(401);
    expect(await walks.statusOf('/me', asBearer(fresh))).toBe(200);
  });

  it('revokes a key: refused from the next request on, for ever, and others are left alone', async () => {
    const first = await walks.gatehouse.createKey(walks.acme, { name: 'Integration one' });
    const second = await walks.gatehouse.createKey(walks.acme, { name: 'Integration two' });
    const page = await walks.open(walks.admin, KEYS);
    await revokeKey(page, 'Integration one');
    expect(await walks.statusOf('/me', first.bearer)).toBe(401);
    expect(await walks.statusOf('/me', second.bearer)).toBe(200);
    await page.goto(`${walks.issuer}${KEYS}/${first.id}?tenant=acme`);
    for (const name of ['Save', 'Rotate', 'Revoke', 'End now']) {
      expect(await page.getByRole('button', { name, exact: true }).count()).toBe(0);
    }
  });

  it('is pointed to OAuth for an app that others install', async () => {
    const fresh = await walks.gatehouse.createTenant('fresh');
    await walks.gatehouse.database.query(
      `INSERT INTO memberships (tenant_id, account_id, role) VALUES ($1, $2, 'company_admin')`,
      [fresh.id, walks.admin.id],
    );
    const page = await walks.open(walks.admin, `${KEYS}?tenant=fresh`);
    expect(await page.locator('main').innerText()).toContain('Use OAuth instead');
  });
});

describe('a member', () => {
  it.each(['new', 'key', 'rotate', 'revoke'])(
    'can neither make nor end a key: %s',
    async (what) => {
      const { id, bearer } = await walks.gatehouse.createKey(walks.acme, {
        name: `Of others ${what}`,
      });
      const page = await walks.open(walks.member, KEYS);
      expect(await page.getByRole('link', { name: 'New key' }).count()).toBe(0);
      const paths = { new: 'new', key: id, rotate: `${id}/rotate`, revoke: `${id}/revoke` };
      const path = paths[what as keyof typeof paths];
      const csrf = (await page.getAttribute('meta[name=csrf-token]', 'content')) ?? '';
      const sent = await page.request.post(`${walks.issuer}${KEYS}/${path}?tenant=acme`, {
        form: { csrf, name: 'Mine', kind: 'secret', scope: 'contacts:read', overlap: '0' },
        headers: { Origin: walks.issuer },
      });
      expect(sent.status()).toBe(403);
      expect(await walks.statusOf('/me', bearer)).toBe(200);
    },
  );
});
