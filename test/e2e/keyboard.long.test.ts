import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';

import {
  chooseByKey,
  isFocused,
  keyboardFaultsOf,
  pressByKey,
  tabTo,
  typeByKey,
} from '../support/browser/keyboard.js';
import { asBearer, useWalks } from '../support/browser/walks.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  PASSWORD,
  registerClient,
  type TestUser,
} from '../support/oauth/oauth.js';

/** Journeys with the keyboard alone: nothing is clicked, and no element gets the focus by a script. */
const walks = useWalks();
const NEW_PASSWORD = 'a river runs through 12 valleys';
const REDIRECT = 'https://app.example.com/callback';

const main = (page: Page) => page.locator('main');
const buttonOf = (page: Page, name: string | RegExp) =>
  main(page)
    .getByRole('button', { name, exact: typeof name === 'string' })
    .last();
const isDone = (page: Page) => page.getByRole('status').first().waitFor();

/** Signs in on the page that is open. */
async function signInByKey(page: Page, { email }: TestUser, password = PASSWORD): Promise<void> {
  await typeByKey(page.getByLabel('Email'), email);
  await typeByKey(page.getByLabel('Password', { exact: true }), password);
  await page.keyboard.press('Enter');
}

/** Opens the login page of a new authorization. */
async function authorize(page: Page): Promise<void> {
  const { client_id } = await registerClient(walks.gatehouse, { redirect_uris: [REDIRECT] });
  const { challenge } = createPkce();
  const scope = 'contacts:read contacts:write leads:read offline_access';
  await page.goto(
    authorizeUrl(walks.issuer, {
      client_id,
      code_challenge: challenge,
      redirect_uri: REDIRECT,
      scope,
    }),
  );
}

let two: TestUser;
beforeAll(async () => {
  const bolt = await walks.gatehouse.createTenant('bolt');
  two = await createUser(walks.gatehouse, [
    [walks.acme, 'company_admin'],
    [bolt, 'viewer'],
  ]);
  await walks.gatehouse.createKey(walks.acme, { name: 'Export' });
});

describe('every control of a page', () => {
  const PAGES =
    `api-keys api-keys/new machine-credentials machine-credentials/new tester webhooks connected-apps usage
    members members/invite spaces audit-log general profile tokens tokens/new sessions apps search`.split(
      /\s+/,
    );

  it.each([1280, 360])(
    'of the settings is reached and seen at %d px',
    async (width) => {
      const page = await walks.open(two, '/settings/profile', { viewport: { width, height: 700 } });
      const faults: Record<string, readonly string[]> = {};
      for (const path of PAGES) {
        await page.goto(`${walks.issuer}/settings/${path}?tenant=acme&env=live`);
        faults[path] = await keyboardFaultsOf(page);
      }
      expect(faults).toEqual(Object.fromEntries(PAGES.map((path) => [path, []])));
    },
    120_000,
  );

  it.each([1280, 360])('before the settings is reached and seen at %d px', async (width) => {
    const page = await walks.newPage({ viewport: { width, height: 700 } });
    const faults: Record<string, readonly string[]> = {};
    for (const path of ['/login', '/forgot-password', '/device', '/nothing', '/docs/errors']) {
      await page.goto(walks.issuer + path);
      faults[path] = await keyboardFaultsOf(page);
    }
    await authorize(page);
    await signInByKey(page, two);
    await page.getByRole('heading', { name: 'Choose an organization' }).waitFor();
    faults['choose'] = await keyboardFaultsOf(page);
    await pressByKey(page.getByRole('button', { name: /^acme/ }));
    await page.getByRole('heading', { name: /^Allow/ }).waitFor();
    faults['consent'] = await keyboardFaultsOf(page);
    expect(faults).toEqual(Object.fromEntries(Object.keys(faults).map((path) => [path, []])));
  });
});

describe('a person with a keyboard', () => {
  it('changes the name, the address and the password, and leaves an organization', async () => {
    const bolt = await walks.gatehouse.createTenant('bolt-2');
    const user = await createUser(
      walks.gatehouse,
      [
        [walks.acme, 'member'],
        [bolt, 'viewer'],
      ],
      'kim@example.com',
    );
    const page = await walks.newPage();
    await page.goto(`${walks.issuer}/settings/profile`);
    await signInByKey(page, user);
    await page.waitForURL('**/settings/profile');
    await typeByKey(page.getByLabel('Your name'), 'Kim Park');
    await page.keyboard.press('Enter');
    await isDone(page);
    expect(await page.getByLabel('Your name').inputValue()).toBe('Kim Park');

    await typeByKey(page.getByLabel(/^(New address|Address)$/), 'kim.park@example.com');
    await page.keyboard.press('Enter');
    await isDone(page);
    await page.goto(await walks.linkTo('kim.park@example.com'));
    expect(await keyboardFaultsOf(page)).toEqual([]);
    await pressByKey(buttonOf(page, 'Confirm'), 'Space');
    await page.waitForURL((url) => url.pathname !== '/confirm-email');

    await page.goto(`${walks.issuer}/settings/profile`);
    expect(await main(page).innerText()).toContain('kim.park@example.com');
    await typeByKey(page.getByLabel('Current password'), PASSWORD);
    await typeByKey(page.getByLabel('New password', { exact: true }), NEW_PASSWORD);
    await typeByKey(page.getByLabel('New password again'), NEW_PASSWORD);
    await page.keyboard.press('Enter');
    await isDone(page);

    await pressByKey(page.getByRole('link', { name: 'Leave bolt-2' }));
    await page.waitForURL('**/leave**');
    expect(await keyboardFaultsOf(page)).toEqual([]);
    await pressByKey(buttonOf(page, /^Leave/));
    await page.waitForURL('**/settings/profile**');
    expect(await page.getByRole('link', { name: 'Leave bolt-2' }).count()).toBe(0);
  });

  it('tests a credential, and revokes it', async () => {
    const key = await walks.gatehouse.createKey(walks.acme, { name: 'Leaked' });
    const page = await walks.newPage();
    await page.goto(`${walks.issuer}/settings/tester`);
    await signInByKey(page, walks.admin);
    await page.waitForURL('**/settings/tester');
    await typeByKey(page.getByLabel('Paste a credential'), key.secret);
    await pressByKey(page.getByRole('checkbox', { name: /^GET/ }).first(), 'Space');
    await pressByKey(buttonOf(page, 'Test'));
    await page.getByRole('heading', { name: /^Accepted/ }).waitFor();
    expect(await keyboardFaultsOf(page)).toEqual([]);
    await pressByKey(page.getByRole('checkbox', { name: 'I want to revoke' }), 'Space');
    await pressByKey(buttonOf(page, 'Revoke'));
    await page.getByText('The credential is revoked.').waitFor();
    expect(await walks.statusOf('/me', key.bearer)).toBe(401);
  });

  it('makes a personal token with single scopes, copies and revokes it', async () => {
    const page = await walks.newPage({ permissions: ['clipboard-read', 'clipboard-write'] });
    await page.goto(`${walks.issuer}/settings/tokens`);
    await signInByKey(page, walks.member);
    await page.waitForURL('**/settings/tokens');
    await pressByKey(page.getByRole('link', { name: 'New token' }).first());
    await typeByKey(page.getByRole('textbox', { name: 'Name' }), 'Laptop');
    await chooseByKey(page.getByRole('radio', { name: /^Read\./ }));
    await pressByKey(page.getByRole('button', { name: 'Toggle all: Read' }), 'Space');
    const summary = page.locator('[data-scope-summary]');
    expect(await summary.innerText()).not.toContain('reads');
    expect(await page.locator('input[name=access][value=some]').isChecked()).toBe(true);
    await pressByKey(page.getByRole('button', { name: 'Toggle all of contacts' }), 'Space');
    expect(await summary.innerText()).toContain('reads 1 kind of records');
    await pressByKey(buttonOf(page, 'Create'));
    const secret = await page.locator('#secret').innerText();
    expect(await keyboardFaultsOf(page)).toEqual([]);
    await pressByKey(page.getByRole('button', { name: 'Copy', exact: true }));
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(secret);
    expect(await walks.statusOf('/contacts', asBearer(secret))).toBe(200);
    expect(await walks.statusOf('/products', asBearer(secret))).toBe(403);
    await pressByKey(page.getByRole('link', { name: 'Done' }));

    await page.waitForURL('**/settings/tokens?**');
    await tabTo(page.locator('summary').filter({ hasText: 'Actions for Laptop' }));
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Rotate' }).waitFor({ state: 'hidden' });
    expect(await isFocused(page.locator('summary').filter({ hasText: 'Actions for' }))).toBe(true);
    await pressByKey(page.getByRole('link', { name: 'Laptop', exact: true }));
    await page.getByRole('heading', { name: 'Edit' }).waitFor();
    expect(await keyboardFaultsOf(page)).toEqual([]);
    await walks.gatehouse.app.activity.flush();
    await page.reload();
    await typeByKey(page.getByLabel('Type Laptop to confirm'), 'Laptop');
    await page.keyboard.press('Enter');
    await isDone(page);
    expect(await walks.statusOf('/me', asBearer(secret))).toBe(401);
  });

  it('sets a forgotten password by the link of a mail', async () => {
    const user = await createUser(walks.gatehouse, [[walks.acme, 'member']], 'lou@example.com');
    const page = await walks.newPage();
    await page.goto(`${walks.issuer}/login`);
    await pressByKey(page.getByRole('link', { name: 'Forgot password?' }));
    await typeByKey(page.getByLabel('Email'), user.email);
    await page.keyboard.press('Enter');
    await page.getByText('a mail with a link').waitFor();
    await page.goto(await walks.linkTo(user.email));
    expect(await keyboardFaultsOf(page)).toEqual([]);
    await typeByKey(page.getByLabel('New password', { exact: true }), NEW_PASSWORD);
    await typeByKey(page.getByLabel('New password again'), NEW_PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.pathname !== '/reset-password');
    const again = await walks.newPage();
    await again.goto(`${walks.issuer}/login`);
    const field = again.getByLabel('Password', { exact: true });
    for (const type of ['text', 'password']) {
      await pressByKey(again.getByRole('button', { name: 'Show password' }), 'Space');
      expect(await field.getAttribute('type')).toBe(type);
    }
    await signInByKey(again, user, NEW_PASSWORD);
    await again.waitForURL('**/settings/**');
  });

  it('invites somebody, who joins by the link of a mail', async () => {
    const page = await walks.newPage();
    await page.goto(`${walks.issuer}/settings/members`);
    await signInByKey(page, walks.admin);
    await page.waitForURL('**/settings/members');
    await pressByKey(page.getByRole('link', { name: 'Invite members' }));
    await typeByKey(page.getByLabel('Email addresses'), 'mia@example.com');
    await chooseByKey(page.getByRole('radio', { name: /^Manager/ }));
    await pressByKey(buttonOf(page, 'Invite'));
    await page.getByRole('heading', { name: 'Pending invitations' }).waitFor();

    const guest = await walks.newPage();
    await guest.goto(await walks.linkTo('mia@example.com'));
    expect(await keyboardFaultsOf(guest)).toEqual([]);
    await typeByKey(guest.getByLabel('Your name'), 'Mia Moss');
    await typeByKey(guest.getByLabel('New password', { exact: true }), NEW_PASSWORD);
    await typeByKey(guest.getByLabel('New password again'), NEW_PASSWORD);
    await pressByKey(guest.getByRole('button', { name: 'Create account and join' }));
    await guest.waitForURL('**/settings/**');
  });

  it('signs in to an app, chooses an organization and scopes, and allows it', async () => {
    const page = await walks.newPage();
    await authorize(page);
    await signInByKey(page, two);
    await pressByKey(page.getByRole('button', { name: /^acme/ }), 'Space');
    await page.getByRole('heading', { name: /^Allow/ }).waitFor();
    const boxes = page.getByRole('checkbox');
    const all = await boxes.count();
    const untick = page.getByRole('button', { name: /^Untick all/ }).first();
    await pressByKey(untick, 'Space');
    const group = page
      .locator('fieldset')
      .filter({ has: page.getByText('Tick all', { exact: true }) });
    expect(await page.locator('input[type=checkbox]:checked').count()).toBeLessThan(all);
    await page.keyboard.press('Space');
    expect(await page.locator('input[type=checkbox]:checked').count()).toBe(all);
    expect(await group.count()).toBe(0);
    // Enter in a box neither allows nor refuses.
    await tabTo(boxes.first());
    await page.keyboard.press('Enter');
    await pressByKey(boxes.first(), 'Space');
    const sent = page.waitForRequest((request) => request.url().startsWith(`${REDIRECT}?code=`));
    await pressByKey(page.getByRole('button', { name: 'Allow' }));
    await sent;

    // The first tab still waits for the app.
    const tab = await page.context().newPage();
    await tab.goto(`${walks.issuer}/settings/apps`);
    await pressByKey(tab.getByRole('link', { name: /^End / }).first());
    await pressByKey(buttonOf(tab, 'End installation'));
    await isDone(tab);
  });

  it('opens and closes menus, the drawer and the palette, and the focus returns', async () => {
    const page = await walks.newPage({ viewport: { width: 360, height: 700 } });
    await page.goto(`${walks.issuer}/settings/profile`);
    await signInByKey(page, two);
    await page.waitForURL('**/settings/profile');
    const switcher = page.locator('.organization > summary');
    await pressByKey(switcher);
    await page.getByRole('link', { name: /^bolt/ }).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: /^bolt/ }).waitFor({ state: 'hidden' });
    expect(await isFocused(switcher)).toBe(true);

    const menu = page.getByRole('button', { name: 'Menu' });
    await pressByKey(menu);
    await tabTo(page.getByRole('link', { name: 'Sessions' }));
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Sessions' }).waitFor({ state: 'hidden' });
    expect(await isFocused(menu)).toBe(true);

    const search = page.getByRole('link', { name: /^Search/ });
    await pressByKey(search);
    await page.getByRole('combobox').waitFor();
    // A modal dialog keeps the focus.
    for (let presses = 0; presses < 4; presses++) await page.keyboard.press('Tab');
    expect(
      await page.evaluate('document.querySelector(".stage").contains(document.activeElement)'),
    ).toBe(false);
    await page.keyboard.press('Escape');
    await page.getByRole('combobox').waitFor({ state: 'hidden' });
    expect(await isFocused(search)).toBe(true);

    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').waitFor();
    await page.keyboard.type('bolt');
    await page.getByRole('option', { selected: true, name: /Switch to bolt/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL('**tenant=bolt**');
  });
});
