import { describe, expect, it } from '@jest/globals';

import { asBearer, follow, makeKey, revokeKey, useWalks } from '../support/browser/walks.js';

/** Machine credentials and their tester, walked in the order of Buildspace's guide. */
const MACHINES = '/settings/machine-credentials';
const TESTER = '/settings/tester';
const walks = useWalks();

describe('an administrator', () => {
  it('issues a service: its secret is shown once, and works in the header for machines', async () => {
    const page = await walks.open(walks.admin, '/settings/general');
    await follow(page, 'Machine credentials');
    await page.getByRole('link', { name: 'New credential' }).first().click();
    const fields = { name: 'Nightly sync', kind: 'Service', scopes: ['contacts:read'] };
    const secret = await makeKey(page, fields);
    expect(secret).toMatch(/^bwp_svc_/);
    expect(await walks.statusOf('/contacts?limit=1', { 'X-Bwp-Api-Token': secret })).toBe(200);
    expect(await walks.statusOf('/contacts?limit=1', asBearer(secret))).toBe(200);
    expect(await walks.statusOf('/products', asBearer(secret))).toBe(403);
    await page.reload();
    await page.getByRole('heading', { name: 'Already shown' }).waitFor();
    expect(await page.content()).not.toContain(secret);
    await page.getByRole('link', { name: /^All / }).click();
    const services = page.locator('section', {
      has: page.getByRole('heading', { name: 'Services' }),
    });
    await services.getByRole('link', { name: 'Nightly sync' }).waitFor();
  });

  it('issues an agent for single records, which reaches no others', async () => {
    const { gatehouse } = walks;
    const key = await gatehouse.createKey(walks.acme, { name: 'Writer' });
    const contact = async (firstName: string) => {
      const answer = await gatehouse.http
        .post('/api/v1/contacts')
        .set(key.bearer)
        .send({ firstName, type: 'customer' });
      return String((answer.body as { data: { id: unknown } }).data.id);
    };
    const [bound, other] = [await contact('Jane'), await contact('John')];
    const page = await walks.open(walks.admin, MACHINES);
    await page.getByRole('link', { name: 'New credential' }).first().click();
    await page.getByRole('radio', { name: 'Agent' }).check();
    await page.getByLabel('Id of record 1').fill(bound);
    const fields = { name: 'Caller', scopes: ['contacts:read', 'contacts:write'] };
    const secret = await makeKey(page, fields);
    expect(secret).toMatch(/^bwp_agt_/);
    expect(await walks.statusOf(`/contacts/${bound}`, asBearer(secret))).toBe(200);
    expect(await walks.statusOf(`/contacts/${other}`, asBearer(secret))).toBe(403);
  });

  it('tests a credential before it is shipped: who it is, its scopes, its routes, real answers', async () => {
    const { secret } = await walks.gatehouse.createKey(walks.acme, {
      name: 'To be shipped',
      kind: 'service',
      scopes: ['contacts:read'],
    });
    const page = await walks.open(walks.admin, MACHINES);
    await follow(page, 'Tester');
    await page.getByLabel('Paste a credential').fill(secret);
    await page.getByRole('checkbox', { name: 'GET /contacts', exact: true }).check();
    await page.getByRole('checkbox', { name: 'GET /products', exact: true }).check();
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.getByRole('heading', { name: 'Accepted' }).waitFor();
    expect(page.url()).not.toContain(secret);
    const facts = await page.locator('section', { hasText: 'Accepted' }).first().innerText();
    expect(facts).toMatch(/Kind\s+Service/);
    expect(facts).toMatch(/Scopes\s+contacts:read/);
    const row = (name: string) => page.getByRole('row').filter({ hasText: name });
    expect(await row('GET /contacts').first().innerText()).toContain('200');
    expect(await row('GET /products').first().innerText()).toContain('403 scope_insufficient');
    expect(await row('PATCH /contacts/:id').innerText()).toContain('Lacks a scope');
    expect(await row('GET /contacts/:id').innerText()).toContain('Admitted');
    expect(await page.content()).not.toContain(secret);
  });

  it('ends a leaked one in the tester, and a lost one in the list, and issues another', async () => {
    const leaked = await walks.gatehouse.createKey(walks.acme, { name: 'Leaked', kind: 'service' });
    const lost = await walks.gatehouse.createKey(walks.acme, { name: 'Lost', kind: 'service' });
    const page = await walks.open(walks.admin, TESTER);
    await page.getByLabel('Paste a credential').fill(leaked.secret);
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.getByLabel('I want to revoke this credential').check();
    await page.getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('The credential is revoked').waitFor();
    expect(await walks.statusOf('/me', leaked.bearer)).toBe(401);

    await follow(page, 'Machine credentials');
    await revokeKey(page, 'Lost');
    expect(await walks.statusOf('/me', lost.bearer)).toBe(401);
    await follow(page, 'Machine credentials');
    await page.getByRole('link', { name: 'New credential' }).first().click();
    const fields = { name: 'Successor', kind: 'Service', scopes: ['contacts:read'] };
    expect(await walks.statusOf('/me', asBearer(await makeKey(page, fields)))).toBe(200);
  });

  it('reads which pages of browsers may use a machine credential', async () => {
    const page = await walks.open(walks.admin, MACHINES);
    await page.getByText('No page of another origin may call the API').waitFor();
  });
});

describe('a member', () => {
  it.each([MACHINES, `${MACHINES}/new`, TESTER])('is told whom to ask at %s', async (path) => {
    const page = await walks.open(walks.member, '/settings/api-keys');
    const menu = page.getByRole('navigation', { name: 'Settings' });
    expect(await menu.getByRole('link', { name: /Machine credentials|Tester/ }).count()).toBe(0);
    const answer = await page.goto(`${walks.issuer}${path}?tenant=acme`);
    expect(answer?.status()).toBe(403);
    expect(await page.locator('main').innerText()).toContain('administrator of acme');
  });
});
