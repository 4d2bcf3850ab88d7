import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';

import { createProducts } from '../support/app/products.js';
import { createStaticSite, type StaticSite } from '../support/browser/static-site.js';
import { useWalks } from '../support/browser/walks.js';

/** Credentials in pages of other origins, as the guides of Builder.io, Buildspace and BuildWorkPro say. */
let listed: StaticSite;
let other: StaticSite;
beforeAll(async () => {
  [listed, other] = await Promise.all([createStaticSite(), createStaticSite()]);
});
afterAll(() => Promise.all([listed.close(), other.close()]));
const walks = useWalks(() => ({ CORS_ALLOWED_ORIGINS: listed.origin }));

const BLOCKED = 'blocked by the browser';

/** Opens a page, and calls the API from its scripts. */
async function callerAt(address: string, page?: Page) {
  const opened = page ?? (await walks.newPage());
  await opened.goto(address);
  return (path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') =>
    opened.evaluate<number | string>(
      `fetch(${JSON.stringify(`${walks.issuer}/api/v1${path}`)}, ${JSON.stringify({ method, headers })})
         .then((answer) => answer.status, () => ${JSON.stringify(BLOCKED)})`,
    );
}

describe('a publishable key', () => {
  it('reads from a page of any origin what is public, and nothing else', async () => {
    await createProducts(walks.gatehouse, walks.acme, [{ name: 'Gravel', sku: 'GRA-1' }]);
    const { secret } = await walks.gatehouse.createKey(walks.acme, {
      name: 'Shop',
      kind: 'publishable',
      scopes: ['products:read'],
    });
    const call = await callerAt(other.origin);
    const key = { 'X-API-Key': secret };
    expect(await call('/products', key)).toBe(200);
    expect(await call(`/products?auth_token=${secret}`)).toBe(200);
    expect(await call('/products', key, 'POST')).toBe(BLOCKED);
    expect(await call('/contacts', key)).toBe(BLOCKED);
    expect(await call('/products', { Authorization: `Bearer ${secret}` })).toBe(BLOCKED);
  });
});

describe('a secret', () => {
  it.each([
    ['secret', 'X-API-Key', ''],
    ['secret', 'Authorization', 'Bearer '],
    ['service', 'X-Bwp-Api-Token', ''],
    ['agent', 'X-Bwp-Api-Token', ''],
  ])('of the kind %s in %s works from listed origins only', async (kind, header, scheme) => {
    const { secret } = await walks.gatehouse.createKey(walks.acme, { name: kind, kind });
    const headers = { [header]: scheme + secret };
    expect(await (await callerAt(listed.origin))('/me', headers)).toBe(200);
    expect(await (await callerAt(other.origin))('/me', headers)).toBe(BLOCKED);
    // A tool of the same origin needs no permission.
    expect(await (await callerAt(`${walks.issuer}/login`))('/me', headers)).toBe(200);
  });
});

describe('the settings', () => {
  it('name the listed origins, and lead to the reference and the contract', async () => {
    const page = await walks.open(walks.admin, '/settings/machine-credentials');
    await page.getByText(listed.origin).first().waitFor();
    await page.getByRole('link', { name: 'API reference' }).first().click();
    await page.waitForURL('**/docs/api');
    await page.getByRole('heading', { level: 1 }).waitFor();
    const contract = page.locator('a[href$="/openapi.json"]').first();
    const answer = await page.request.get(
      new URL((await contract.getAttribute('href')) ?? '', walks.issuer).href,
    );
    expect(await answer.json()).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
  });
});
