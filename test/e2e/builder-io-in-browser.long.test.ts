import { beforeAll, describe, expect, it } from '@jest/globals';

import { createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import {
  asBearer,
  copiedIn,
  follow,
  makeKey,
  revokeKey,
  useWalks,
  WITH_CLIPBOARD,
} from '../support/browser/walks.js';

/** Keys and personal tokens, walked in the order of Builder.io's guide. */
const KEYS = '/settings/api-keys';
const TOKENS = '/settings/tokens';
const walks = useWalks();

let publicKey: string;
beforeAll(async () => {
  const fields = { name: 'Website', kind: 'publishable', scopes: ['products:read'] };
  publicKey = (await walks.gatehouse.createKey(walks.acme, fields)).secret;
});

describe('the public key', () => {
  it('is copied from the palette, after a part of its word', async () => {
    const page = await walks.open(walks.member, '/settings/profile', WITH_CLIPBOARD);
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search' }).waitFor();
    const found = page.waitForResponse(/[?&]q=API/);
    await page.keyboard.type('API');
    await found;
    await page.getByRole('option', { name: /Website/ }).click();
    await page.getByRole('status').getByText('Copied').waitFor();
    expect(await copiedIn(page)).toBe(publicKey);
  });

  it('is copied from the settings, by the button beside it', async () => {
    const page = await walks.open(walks.member, '/settings/general', WITH_CLIPBOARD);
    await follow(page, 'API keys');
    await page.getByRole('button', { name: 'Copy Website' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await copiedIn(page)).toBe(publicKey);
    expect(await walks.statusOf('/products', { 'X-API-Key': publicKey })).toBe(200);
  });
});

describe('private keys', () => {
  it('are made, shown, copied and revoked by an administrator, as many as are needed', async () => {
    const page = await walks.open(walks.admin, KEYS, WITH_CLIPBOARD);
    const made: string[] = [];
    for (const name of ['Import', 'Export']) {
      await page.getByRole('link', { name: 'New key' }).first().click();
      made.push(await makeKey(page, { name, scopes: ['contacts:read', 'contacts:write'] }));
      await page.getByRole('button', { name: 'Copy', exact: true }).click();
      await page.getByRole('button', { name: 'Copied' }).waitFor();
      expect(await copiedIn(page)).toBe(made.at(-1));
      await page.getByRole('link', { name: 'Done' }).click();
      await page.getByRole('link', { name, exact: true }).waitFor();
    }
    const [first = '', second = ''] = made;
    expect(await walks.statusOf('/contacts', asBearer(first))).toBe(200);
    await revokeKey(page, 'Export');
    expect(await walks.statusOf('/contacts', asBearer(second))).toBe(401);
    expect(await walks.statusOf('/contacts', asBearer(first))).toBe(200);
  });

  it('are made for the organization on the same page, and create spaces', async () => {
    const page = await walks.open(walks.admin, KEYS);
    await page.getByRole('link', { name: 'New key' }).first().click();
    const fields = { name: 'Provisioning', kind: 'Organization key', scopes: ['spaces:manage'] };
    const key = await makeKey(page, fields);
    const answer = await fetch(`${walks.issuer}/api/v1/spaces`, {
      method: 'POST',
      headers: { ...asBearer(key), 'Content-Type': 'application/json', 'Idempotency-Key': 'one' },
      body: JSON.stringify({ name: 'Riverside' }),
    });
    expect(answer.status).toBe(201);
    await follow(page, 'Spaces');
    await page.getByText('Riverside').first().waitFor();
  });

  it('are neither seen nor made by a member', async () => {
    const page = await walks.open(walks.member, KEYS);
    const sections = await page.locator('main section h2').allInnerTexts();
    expect(sections).toEqual(['Publishable keys']);
    expect(await page.getByRole('link', { name: 'New key' }).count()).toBe(0);
    const answer = await page.goto(`${walks.issuer}${KEYS}/new?tenant=acme`);
    expect(answer?.status()).toBe(403);
  });
});

describe('personal access tokens', () => {
  it('are made with a name, an access and spaces, copied once, and act as their owner', async () => {
    const { gatehouse, acme } = walks;
    const docks = await createSpace(gatehouse, acme, 'Docks');
    const page = await walks.open(walks.member, '/settings/profile', WITH_CLIPBOARD);
    await follow(page, 'Personal access tokens');
    await page.getByRole('link', { name: 'New token' }).first().click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Deployment');
    await page.getByRole('radio', { name: /^Read\./ }).check();
    await page.getByRole('checkbox', { name: 'Docks' }).check();
    await page.getByRole('button', { name: 'Create', exact: true }).last().click();
    const token = await page.locator('#secret').innerText();
    expect(token).toMatch(/^bwp_pat_/);
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await copiedIn(page)).toBe(token);
    await page.reload();
    await page.getByRole('heading', { name: 'Already shown' }).waitFor();
    expect(await page.content()).not.toContain(token);

    const me = await fetch(`${walks.issuer}/api/v1/me`, { headers: asBearer(token) });
    const { data } = (await me.json()) as { data: { principal?: unknown; spaces?: unknown } };
    expect(JSON.stringify(data)).toContain(walks.member.id);
    const inSpace = (space: string) =>
      walks.statusOf('/contacts', { ...asBearer(token), 'X-Bwp-Space': space });
    expect(await inSpace(docks)).toBe(200);
    expect(await inSpace(await defaultSpaceOf(gatehouse, acme))).toBe(403);
    const write = await fetch(`${walks.issuer}/api/v1/contacts`, {
      method: 'POST',
      headers: { ...asBearer(token), 'Content-Type': 'application/json' },
      body: JSON.stringify({ firstName: 'Jane', lastName: 'Doe', type: 'customer' }),
    });
    expect(write.status).toBe(403);
  });

  it('with write access change records, and a revoked one is refused at once', async () => {
    const page = await walks.open(walks.admin, TOKENS);
    await page.getByRole('link', { name: 'New token' }).first().click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Pipeline');
    await page.getByRole('radio', { name: /^Write\./ }).check();
    await page.getByRole('button', { name: 'Create', exact: true }).last().click();
    const token = await page.locator('#secret').innerText();
    page.on('dialog', (dialog) => void dialog.accept());
    const write = await fetch(`${walks.issuer}/api/v1/contacts`, {
      method: 'POST',
      headers: { ...asBearer(token), 'Content-Type': 'application/json' },
      body: JSON.stringify({ firstName: 'Jane', lastName: 'Doe', type: 'customer' }),
    });
    expect(write.status).toBe(201);
    await page.getByRole('link', { name: 'Done' }).click();
    await revokeKey(page, 'Pipeline');
    expect(await walks.statusOf('/me', asBearer(token))).toBe(401);
  });

  it('are not in the list of somebody else, and not at their address', async () => {
    const page = await walks.open(walks.member, TOKENS);
    expect(await page.locator('main').innerText()).not.toContain('Pipeline');
    const [row] = await walks.gatehouse.database.query<{ id: string }>(
      `SELECT id FROM credentials WHERE name = 'Pipeline'`,
    );
    const answer = await page.goto(`${walks.issuer}${TOKENS}/${row?.id}?tenant=acme`);
    expect(answer?.status()).toBe(404);
  });
});
