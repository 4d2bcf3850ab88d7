import { describe, expect, it } from '@jest/globals';

import { copiedIn, follow, makeKey, useWalks, WITH_CLIPBOARD } from '../support/browser/walks.js';

/** The pages of keys, walked in the order of bkend's guide (test/sources/bkend.test.ts states its words and ours). */
const PAGE = '/settings/api-keys';
const walks = useWalks();

const asKey = (key: string) => ({ 'X-API-Key': key });

describe('an administrator', () => {
  it('reaches the keys from the sidebar, in two sections that say who may hold them', async () => {
    await walks.gatehouse.createKey(walks.acme, { name: 'Server' });
    const page = await walks.open(walks.admin, '/settings/general');
    await follow(page, 'API keys');
    await page.getByRole('link', { name: 'New key' }).first().click();
    await makeKey(page, { name: 'Shop', kind: 'Publishable key', scopes: ['products:read'] });
    await page.getByRole('link', { name: 'Done' }).click();
    const sections = page.locator('main section h2');
    expect(await sections.allInnerTexts()).toEqual(['Publishable keys', 'Secret keys']);
    expect(await page.locator('main section p.soft').allInnerTexts()).toEqual(
      expect.arrayContaining([
        expect.stringContaining('may be public'),
        expect.stringContaining('servers only'),
      ]),
    );
  });

  it('makes a publishable key by its name, finds it in the list, and copies it at any time', async () => {
    const page = await walks.open(walks.admin, PAGE, WITH_CLIPBOARD);
    await page.getByRole('link', { name: 'New key' }).first().click();
    const fields = { name: 'My app', kind: 'Publishable key', scopes: ['products:read'] };
    const key = await makeKey(page, fields);
    expect(key).toMatch(/^bwp_pk_live_/);
    await page.getByRole('link', { name: 'Done' }).click();
    await page.locator('tr.fresh').getByRole('link', { name: 'My app' }).waitFor();
    await page.reload();
    const row = page.getByRole('row').filter({ hasText: 'My app' });
    expect(await row.locator('code').first().innerText()).toBe(key);
    await row.getByRole('button', { name: 'Copy' }).click();
    await row.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await copiedIn(page)).toBe(key);
    expect(await walks.statusOf('/products', asKey(key))).toBe(200);
    expect(await walks.statusOf('/contacts', asKey(key))).toBe(403);
  });

  it('sees a secret key once, with a highlight, and masked from then on', async () => {
    const page = await walks.open(walks.admin, PAGE);
    await page.getByRole('link', { name: 'New key' }).first().click();
    const key = await makeKey(page, { name: 'My server', scopes: ['contacts:read'] });
    expect(key).toMatch(/^bwp_live_/);
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(
      'Copy the key My server',
    );
    await page.locator('.secret-box#secret').waitFor();
    await page.getByText('only time').waitFor();
    page.on('dialog', (dialog) => void dialog.accept());
    await page.getByRole('link', { name: 'Done' }).click();
    const row = page.getByRole('row').filter({ hasText: 'My server' });
    expect(await row.innerText()).toContain(`bwp_live_…${key.slice(-4)}`);
    expect(await page.content()).not.toContain(key);
    await page.goBack();
    expect(await page.content()).not.toContain(key);
  });

  it('sees the keys of one environment, and switches to the other', async () => {
    const page = await walks.open(walks.admin, PAGE);
    await page.getByRole('navigation', { name: 'Environment' }).getByText('Test').click();
    await page.getByText('Nothing here touches live data').waitFor();
    await page.getByRole('link', { name: 'New key' }).first().click();
    const key = await makeKey(page, { name: 'Sandbox', scopes: ['contacts:read'] });
    expect(key).toMatch(/^bwp_test_/);
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('link', { name: 'Sandbox' }).waitFor();
    await page.getByRole('navigation', { name: 'Environment' }).getByText('Live').click();
    await page.waitForURL('**env=live');
    expect(await page.getByRole('link', { name: 'Sandbox' }).count()).toBe(0);
  });

  it('deletes a key that is in use by typing its name, and every program that holds it fails at once', async () => {
    const key = await walks.gatehouse.createKey(walks.acme, { name: 'Lost laptop' });
    expect(await walks.statusOf('/me', key.bearer)).toBe(200);
    await walks.gatehouse.app.activity.flush();
    const page = await walks.open(walks.admin, PAGE);
    await page.getByText('Actions for Lost laptop').locator('..').click();
    await page.getByRole('link', { name: 'Revoke' }).click();
    await page.getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('Type the name').or(page.locator('#confirm-error')).first().waitFor();
    expect(await walks.statusOf('/me', key.bearer)).toBe(200);
    await page.getByLabel('Type Lost laptop to confirm').fill('Lost laptop');
    await page.getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('status').first().waitFor();
    expect(await walks.statusOf('/me', key.bearer)).toBe(401);
    await page.goto(`${walks.issuer}${PAGE}?tenant=acme&status=all`);
    const row = page.getByRole('row').filter({ hasText: 'Lost laptop' });
    expect(await row.innerText()).toContain('Revoked');
  });

  it('finds the id of the organization in its settings, and copies it', async () => {
    const page = await walks.open(walks.admin, PAGE, WITH_CLIPBOARD);
    await follow(page, 'General');
    await page.getByRole('button', { name: 'Copy' }).first().click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await copiedIn(page)).toBe(walks.acme.id);
  });
});

describe('a member', () => {
  it('copies publishable keys, and neither sees nor makes nor ends others', async () => {
    const { secret } = await walks.gatehouse.createKey(walks.acme, {
      name: 'Storefront',
      kind: 'publishable',
      scopes: ['products:read'],
    });
    const hidden = await walks.gatehouse.createKey(walks.acme, { name: 'Backend of the shop' });
    const page = await walks.open(walks.member, PAGE, WITH_CLIPBOARD);
    const row = page.getByRole('row').filter({ hasText: 'Storefront' });
    await row.getByRole('button', { name: 'Copy' }).click();
    await row.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await copiedIn(page)).toBe(secret);
    const text = await page.locator('main').innerText();
    expect(text).not.toContain('Backend of the shop');
    expect(await page.getByRole('link', { name: 'New key' }).count()).toBe(0);
    for (const path of ['/new', `/${hidden.id}`]) {
      const answer = await page.goto(`${walks.issuer}${PAGE}${path}?tenant=acme`);
      expect(answer?.status()).toBe(403);
      expect(await page.locator('main').innerText()).toContain('administrator of acme');
    }
  });
});
