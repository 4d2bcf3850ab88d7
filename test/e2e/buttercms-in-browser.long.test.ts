import { describe, expect, it } from '@jest/globals';

import { createProducts } from '../support/app/products.js';
import { asBearer, follow, makeKey, useWalks } from '../support/browser/walks.js';

/** Tokens for reading and for writing, walked in the order of ButterCMS's guide. */
const walks = useWalks();

describe('the settings', () => {
  it('show an administrator the token that reads, and one that writes only when it is made', async () => {
    await createProducts(walks.gatehouse, walks.acme, [{ name: 'Gravel', sku: 'GRA-1' }]);
    const page = await walks.open(walks.admin, '/settings/general');
    await follow(page, 'API keys');
    await page.getByRole('link', { name: 'New key' }).first().click();
    const reading = { name: 'Reader', kind: 'Publishable key', scopes: ['products:read'] };
    const reads = await makeKey(page, reading);
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('link', { name: 'New key' }).first().click();
    const writes = await makeKey(page, {
      name: 'Writer',
      scopes: ['contacts:read', 'contacts:write', 'contacts:delete'],
    });
    page.on('dialog', (dialog) => void dialog.accept());
    await page.getByRole('link', { name: 'Done' }).click();
    const list = await page.locator('main').innerText();
    expect(list).toContain(reads);
    expect(list).not.toContain(writes);

    // The page of anybody reads with the token in its address.
    const shop = await page.context().newPage();
    const answer = await shop.goto(`${walks.issuer}/api/v1/products?auth_token=${reads}`);
    expect(answer?.status()).toBe(200);
    expect(await shop.content()).toContain('GRA-1');
    const token = { Authorization: `Token ${writes}` };
    expect(await walks.statusOf('/contacts', token)).toBe(200);
    const made = await fetch(`${walks.issuer}/api/v1/contacts`, {
      method: 'POST',
      headers: { ...token, 'Content-Type': 'application/json' },
      body: JSON.stringify({ firstName: 'Jane', type: 'customer' }),
    });
    expect(made.status).toBe(201);
    const refused = await fetch(`${walks.issuer}/api/v1/contacts`, {
      method: 'POST',
      headers: { ...asBearer(reads), 'Content-Type': 'application/json' },
      body: JSON.stringify({ firstName: 'Jane', type: 'customer' }),
    });
    expect([401, 403]).toContain(refused.status);
  });

  it('show a member the token that reads alone', async () => {
    const fields = { name: 'Shop', kind: 'publishable', scopes: ['products:read'] };
    const { secret } = await walks.gatehouse.createKey(walks.acme, fields);
    await walks.gatehouse.createKey(walks.acme, { name: 'Backend' });
    const page = await walks.open(walks.member, '/settings/general');
    await follow(page, 'API keys');
    const list = await page.locator('main').innerText();
    expect(list).toContain(secret);
    expect(list).not.toContain('Backend');
  });
});
