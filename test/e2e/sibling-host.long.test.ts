import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';

import { createCookieSigner } from '../../src/oauth/library/provider.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { BROWSER_TIMEOUT_MS, decide, signIn } from '../support/browser/browser-app.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  PASSWORD,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { createTlsHosts, type TlsHosts } from '../support/browser/tls-hosts.js';
import { until } from '../support/app/until.js';

const RESUME = '/api/v1/oauth/authorize/';

let hosts: TlsHosts;
let tenant: Tenant;
let client: TestClient;
let victim: TestUser;
let mallory: TestUser;
let hers: BrowserContext;
let his: BrowserContext;
beforeAll(async () => {
  hosts = await createTlsHosts();
  tenant = await hosts.gatehouse.createTenant('acme');
  client = await registerClient(hosts.gatehouse, { redirect_uris: [hosts.callback] });
}, BROWSER_TIMEOUT_MS);
afterAll(() => hosts.close());
beforeEach(async () => {
  [hers, his] = [await hosts.newContext(), await hosts.newContext()];
  victim = await createUser(hosts.gatehouse, [[tenant, 'manager']]);
  mallory = await createUser(hosts.gatehouse, [[tenant, 'manager']]);
});
afterEach(() => Promise.all([hers.close(), his.close()]));

const urlOf = () =>
  authorizeUrl(hosts.issuer, {
    client_id: client.client_id,
    redirect_uri: hosts.callback,
    code_challenge: createPkce().challenge,
  });
async function begin(context: BrowserContext): Promise<{ page: Page; uid: string }> {
  const page = await context.newPage();
  await page.goto(urlOf());
  await page.waitForURL('**/login/**');
  return { page, uid: new URL(page.url()).pathname.split('/')[2] ?? '' };
}
const atCallback = async (page: Page) => {
  // Not by `waitForURL`, which takes the navigation that a second click replaces for a failure.
  await until(() => page.url().startsWith(`${hosts.callback}?`));
  return new URL(page.url()).searchParams;
};
/** The email address that the settings area shows; `undefined` if it asks to sign in. */
async function whoIs(context: BrowserContext): Promise<string | undefined> {
  const page = await context.newPage();
  await page.goto(`${hosts.issuer}/settings/tokens`);
  const shown = await page.locator('nav .account bdi').allInnerTexts();
  await page.close();
  return shown[0];
}
/** Presses the page's main button until another page is there. */
const clickAgainAndAgain = (page: Page) =>
  page.evaluate(`{
    const button = document.querySelector('button.primary');
    setInterval(() => button.click(), 500);
    button.click();
  }`);
const counts = async ({ id }: TestUser) => {
  const [row] = await hosts.gatehouse.database.query<Record<string, number>>(
    `SELECT (SELECT count(*)::int FROM grants WHERE account_id = $1) AS grants,
       (SELECT count(*)::int FROM oauth_artifacts a JOIN grants g ON g.id = a.grant_id
        WHERE g.account_id = $1) AS codes`,
    [id],
  );
  return row;
};

/** Every way that a sibling host has to set the cookies of an authorization that it began itself. */
async function linesFor(uid: string): Promise<readonly string[]> {
  const { sign } = createCookieSigner(hosts.gatehouse.keyring);
  const handles = ['gatehouse_interaction', 'gatehouse_resume'].flatMap((name) => [
    `${name}=${uid}`,
    `${name}.sig=${sign(`${name}=${uid}`)}`,
  ]);
  const own = (await his.cookies(hosts.issuer)).map(({ name, value }) => `${name}=${value}`);
  const spelled = own.flatMap((pair) => [
    pair,
    // Nameless, in lower case, and without the prefix that makes browsers refuse it.
    `=${pair}`,
    pair.replace('__Host-', '__host-'),
    pair.replace('__Host-', ''),
  ]);
  const paths = ['/', '/login', `/login/${uid}`, `/consent/${uid}`, `${RESUME}${uid}`];
  return [...handles, ...spelled].flatMap((pair) =>
    paths.flatMap((path) => [
      `${pair}; Domain=example.test; Path=${path}; Secure`,
      `${pair}; Domain=example.test; Path=${path}`,
    ]),
  );
}

async function plant(uid: string): Promise<void> {
  const lines = await linesFor(uid);
  const page = await hers.newPage();
  for (let start = 0; start < lines.length; start += 20) {
    await page.goto(hosts.planting(lines.slice(start, start + 20)));
  }
  await page.close();
  // The planted cookies are present, so the attack was really attempted.
  const planted = (await hers.cookies(`${hosts.issuer}/login/${uid}`)).map(({ name }) => name);
  expect(planted).toContain('gatehouse_interaction');
}

describe('a sibling host that plants cookies', () => {
  it('cannot make a user sign in for the attacker', async () => {
    const attack = await begin(his);
    const own = await begin(hers);
    await plant(attack.uid);

    const page = await hers.newPage();
    const answer = await page.goto(`${hosts.issuer}/login/${attack.uid}`);
    expect(answer?.status()).toBe(404);
    expect(await page.innerText('main')).toContain('started in another browser');
    expect(await page.locator('form').count()).toBe(0);
    await attack.page.goto(`${hosts.issuer}${RESUME}${attack.uid}`);
    expect(await whoIs(his)).toBeUndefined();

    await signIn(own.page, victim);
    await decide(own.page, 'Allow');
    expect((await atCallback(own.page)).get('code')).toMatch(/^bwp_ac_/);
    expect(await counts(victim)).toEqual({ grants: 1, codes: 1 });
    expect(await whoIs(hers)).toBe(victim.email);
  });

  it('cannot make a user sign in as the attacker', async () => {
    const attack = await begin(his);
    const isHeld = hosts.holdNext(RESUME);
    await Promise.all([isHeld, signIn(attack.page, mallory, { noWaitAfter: true })]);
    await begin(hers);
    await plant(attack.uid);

    const page = await hers.newPage();
    const answer = await page.goto(`${hosts.issuer}${RESUME}${attack.uid}`);
    expect(answer?.status()).toBe(404);
    expect(await page.innerText('main')).toContain('started in another browser');
    expect(await whoIs(hers)).toBeUndefined();
    await attack.page.goto(`${hosts.issuer}${RESUME}${attack.uid}`);
    await attack.page.waitForURL('**/consent/**');
  });
});

describe('a form that is sent twice', () => {
  it('leads where the first one led, after a lost response', async () => {
    const { page } = await begin(hers);
    await page.getByLabel('Email').fill(victim.email);
    await page.getByLabel('Password').fill(PASSWORD);
    for (const next of ['/consent/', hosts.callback]) {
      const isHeld = hosts.holdNext(RESUME);
      await clickAgainAndAgain(page);
      await isHeld;
      await until(() => page.url().includes(next));
      await page.waitForLoadState();
    }
    expect(new URL(page.url()).searchParams.get('code')).toMatch(/^bwp_ac_/);
    expect(await counts(victim)).toEqual({ grants: 1, codes: 1 });
    expect(await whoIs(hers)).toBe(victim.email);
  });

  it.each([1, 2, 3])('by two clicks 60 ms apart leads to the app: round %i', async () => {
    const { page } = await begin(hers);
    await signIn(page, victim);
    await page.waitForURL('**/consent/**');
    await page.getByRole('button', { name: 'Allow' }).evaluate((element) => {
      const button = element as unknown as { click(): void };
      button.click();
      setTimeout(() => button.click(), 60);
    });
    expect((await atCallback(page)).get('code')).toMatch(/^bwp_ac_/);
    expect(await counts(victim)).toEqual({ grants: 1, codes: 1 });
  });
});

it('two tabs that open at once in a new browser both work', async () => {
  const [first, second] = await Promise.all([begin(hers), begin(hers)]);
  await signIn(first.page, victim);
  await signIn(second.page, victim);
  for (const { page } of [first, second]) {
    await decide(page, 'Allow');
    expect((await atCallback(page)).get('code')).toMatch(/^bwp_ac_/);
  }
});
