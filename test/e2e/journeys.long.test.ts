import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { inApp } from '../support/browser/browser-app.js';
import { createStaticSite, type StaticSite } from '../support/browser/static-site.js';
import { asBearer, follow, revokeKey, signInAs, useWalks } from '../support/browser/walks.js';
import { createUser, type TokenResponse } from '../support/oauth/oauth.js';

/** Journeys that lead through several pages, apps and browsers. */
const walks = useWalks();
let site: StaticSite;
beforeAll(async () => {
  site = await createStaticSite();
});
afterAll(() => site.close());

const NEW_PASSWORD = 'a river runs through 12 valleys';

describe('the settings', () => {
  it.each([
    ['api-keys', 'New key', 'Contract'],
    ['machine-credentials', 'New credential', 'Service'],
    ['tokens', 'New token', 'Read'],
  ])(
    'show the secret of %s once, and neither a reload nor Back makes another',
    async (path, button, name) => {
      const page = await walks.open(walks.admin, `/settings/${path}`);
      page.on('dialog', (dialog) => void dialog.accept());
      await page.getByRole('link', { name: button }).first().click();
      await page.getByRole('textbox', { name: 'Name' }).fill(`Once ${name}`);
      if (path === 'tokens') await page.getByRole('radio', { name: /^Read\./ }).check();
      else await page.locator('input[name=scope][value="contacts:read"]').check();
      await page.getByRole('button', { name: 'Create', exact: true }).last().click();
      const secret = await page.locator('#secret').innerText();
      const made = async () => {
        const rows = await walks.gatehouse.database.query<{ id: string }>(
          'SELECT id FROM credentials WHERE name = $1',
          [`Once ${name}`],
        );
        return rows.length;
      };
      for (const again of [() => page.reload(), () => page.goto(page.url())]) {
        await again();
        await page.getByRole('heading', { name: 'Already shown' }).waitFor();
        expect(await page.content()).not.toContain(secret);
      }
      await page.goBack();
      expect(await page.content()).not.toContain(secret);
      await page.goForward();
      expect(await page.content()).not.toContain(secret);
      expect(await made()).toBe(1);
    },
  );
});

describe('an app', () => {
  it.each([true, false])(
    'is connected, seen, ended, and refused on its next call; scripts of our pages: %s',
    async (hasScripts) => {
      const app = await walks.newPage();
      await app.goto(site.origin);
      await inApp(app, 'register', walks.issuer);
      const url = await inApp<string>(app, 'authorizeUrl');

      // The app keeps its scripts: the pages of the server are visited by another browser.
      const page = await walks.newPage({ javaScriptEnabled: hasScripts });
      await page.route(`${site.origin}/**`, (route) => route.fulfill({ body: 'the app' }));
      await page.goto(url);
      await signInAs(page, walks.member.email);
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.waitForURL(`${site.origin}/?code=*`);
      const { search } = new URL(page.url());
      const { body } = await inApp<{ body: TokenResponse }>(app, 'exchange', search);
      const { access_token: token } = body;
      expect(await walks.statusOf('/me', asBearer(token))).toBe(200);

      await page.goto(`${walks.issuer}/settings/apps`);
      await page.getByRole('link', { name: /^End / }).first().click();
      await page.getByRole('button', { name: 'End installation' }).click();
      await page.getByRole('status').first().waitFor();
      expect(await walks.statusOf('/me', asBearer(token))).toBe(401);
      const grant = { grant_type: 'refresh_token', refresh_token: body.refresh_token };
      const refused = await inApp<{ body: { error?: string } }>(app, 'token', grant);
      expect(refused.body.error).toBe('invalid_grant');
    },
  );
});

describe('an invitation', () => {
  it('is sent by mail, accepted once in another browser, and makes a member', async () => {
    const email = 'carol@example.com';
    const page = await walks.open(walks.admin, '/settings/members');
    await page.getByRole('link', { name: 'Invite members' }).click();
    await page.getByLabel('Email addresses').fill(email);
    await page.getByRole('radio', { name: /^Manager/ }).check();
    await page.getByRole('button', { name: 'Invite' }).click();
    await page.getByRole('heading', { name: 'Pending invitations' }).waitFor();
    const link = await walks.linkTo(email);
    expect(await page.content()).not.toContain(new URL(link).search.slice(1));

    const carol = await walks.newPage();
    await carol.goto(link);
    expect(carol.url()).not.toContain('token=');
    await carol.getByLabel('Your name').fill('Carol Cole');
    await carol.getByLabel('New password', { exact: true }).fill(NEW_PASSWORD);
    await carol.getByLabel('New password again').fill(NEW_PASSWORD);
    await carol.getByRole('button', { name: 'Create account and join' }).click();
    await carol.waitForURL('**/settings/**');
    await follow(carol, 'Machine credentials');

    const other = await walks.newPage();
    await other.goto(link);
    expect(await other.locator('main').innerText()).not.toContain('Create account');
    await page.reload();
    expect(await page.locator('main').innerText()).toContain('Carol Cole');
    await page.getByText('No invitation is pending.').waitFor();
  });

  it('is not for a member to send', async () => {
    const page = await walks.open(walks.member, '/settings/members');
    expect(await page.getByRole('link', { name: 'Invite members' }).count()).toBe(0);
    const answer = await page.goto(`${walks.issuer}/settings/members/invite?tenant=acme`);
    expect(answer?.status()).toBe(403);
  });
});

describe('a forgotten password', () => {
  it('is set again by a link that works once, and ends the sessions of all browsers', async () => {
    const email = 'dan@example.com';
    const dan = await createUser(walks.gatehouse, [[walks.acme, 'member']], email);
    const elsewhere = await walks.open(dan, '/settings/profile');
    const page = await walks.newPage();
    await page.goto(`${walks.issuer}/login`);
    await page.getByRole('link', { name: 'Forgot password?' }).click();
    await page.getByLabel('Email').fill(email);
    await page.getByRole('button', { name: 'Send the link' }).click();
    await page.getByText('a mail with a link').waitFor();
    const link = await walks.linkTo(email);
    await page.goto(link);
    await page.getByLabel('New password', { exact: true }).fill(NEW_PASSWORD);
    await page.getByLabel('New password again').fill(NEW_PASSWORD);
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.waitForURL((url) => url.pathname !== '/reset-password');

    await elsewhere.reload();
    await elsewhere.waitForURL('**/login?**');
    await signInAs(elsewhere, email, NEW_PASSWORD);
    await elsewhere.waitForURL('**/settings/profile**');
    const again = await walks.newPage();
    await again.goto(link);
    expect(await again.getByLabel('New password', { exact: true }).count()).toBe(0);
  });
});

describe('the sessions of two browsers', () => {
  it('are listed in each, and one ends the other', async () => {
    const eve = await createUser(walks.gatehouse, [[walks.acme, 'member']], 'eve@example.com');
    const first = await walks.open(eve, '/settings/sessions');
    const second = await walks.open(eve, '/settings/sessions');
    await first.reload();
    expect(await first.getByRole('row').count()).toBe(3);
    const here = first.getByRole('row').filter({ hasText: 'This browser' });
    expect(await here.count()).toBe(1);
    const there = first.getByRole('row').filter({ hasNotText: 'This browser' });
    await there.getByRole('button', { name: /^End/ }).click();
    await first.getByRole('status').first().waitFor();
    await second.reload();
    await second.waitForURL('**/login?**');
    await first.reload();
    expect(new URL(first.url()).pathname).toBe('/settings/sessions');
    expect(await first.getByRole('row').count()).toBe(2);
  });
});

describe('a browser without scripts', () => {
  it('makes, uses and revokes a personal token', async () => {
    const options = { javaScriptEnabled: false };
    const page = await walks.open(walks.member, '/settings/tokens', options);
    await page.getByRole('link', { name: 'New token' }).first().click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Script');
    await page.getByRole('radio', { name: /^Read\./ }).check();
    await page.getByRole('button', { name: 'Create', exact: true }).last().click();
    const token = await page.locator('#secret').innerText();
    expect(await walks.statusOf('/me', asBearer(token))).toBe(200);
    await page.getByRole('link', { name: 'Done' }).click();
    await walks.gatehouse.app.activity.flush();
    await revokeKey(page, 'Script');
    expect(await walks.statusOf('/me', asBearer(token))).toBe(401);
  });

  it('finds the palette as a page', async () => {
    const options = { javaScriptEnabled: false };
    const page = await walks.open(walks.admin, '/settings/profile', options);
    await page.getByRole('link', { name: /^Search/ }).click();
    await page.getByLabel('Keys, pages, people, apps').fill('usage');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.locator('#found').getByRole('link', { name: 'Usage' }).click();
    await page.getByRole('heading', { level: 1, name: 'Usage' }).waitFor();
  });
});
