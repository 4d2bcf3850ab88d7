import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { csrfOfForm, newBrowser, postForm, signIn, whoIs } from '../support/browser/console.js';
import {
  createUser,
  mainOf,
  registerClient,
  type Browser,
  type BrowserStop,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import {
  beginAuthorization,
  credentialsOf,
  locationOf,
  sendForm,
} from '../support/browser/pages.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const gatehouse = useGatehouse();
let acme: Tenant;
let client: TestClient;
let user: TestUser;
let browser: Browser;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  client = await registerClient(gatehouse);
});
beforeEach(async () => {
  user = await createUser(gatehouse, [[acme, 'manager']]);
  browser = newBrowser(gatehouse);
});

const begin = () => beginAuthorization(gatehouse, browser, client);
const credentials = () => credentialsOf(user);
const openConsent = async () => browser.submit(await begin(), credentials());
const send = (page: BrowserStop, fields: Record<string, string>) => sendForm(browser, page, fields);
const approval = () => ({ tenant_id: acme.id, scope: 'contacts:read', decision: 'approve' });
const codes = () =>
  gatehouse.database.query(
    `SELECT FROM oauth_artifacts a JOIN grants g ON g.id = a.grant_id WHERE g.account_id = $1`,
    [user.id],
  );

describe('a sign-in or sign-out in another tab, between form and resume', () => {
  /** Our own page: no script, no redirect, and words for people. */
  async function expectOurPage(answer: Response): Promise<void> {
    const html = await answer.text();
    expect(answer.status).toBe(404);
    expect(answer.headers.get('Location')).toBeNull();
    expect(answer.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
    expect(html).not.toMatch(/<script(?! type="module" src="\/assets\/)|onload|end_session|logout/);
    expect(mainOf({ html })).toContain('Go back to the app and start again.');
  }

  it('another account, after the login form, keeps its session', async () => {
    const ben = await createUser(gatehouse, [[acme, 'member']]);
    const page = await begin();
    const resume = locationOf(await send(page, credentials()));
    await signIn(browser, ben);
    await expectOurPage(await browser.request(resume));
    await expectOurPage(await browser.request(new URL(page.url).pathname));
    expect(await whoIs(browser)).toBe(ben.email);
  });

  it('another account, after the consent form, gets no code', async () => {
    const ben = await createUser(gatehouse, [[acme, 'member']]);
    const page = await openConsent();
    const resume = locationOf(await send(page, approval()));
    await signIn(browser, ben);
    await expectOurPage(await browser.request(resume));
    expect(await whoIs(browser)).toBe(ben.email);
    expect(await codes()).toEqual([]);
  });

  it('that ends the session gets no code', async () => {
    const page = await openConsent();
    const resume = locationOf(await send(page, approval()));
    const console = await browser.open('/settings/tokens');
    await postForm(browser, '/logout', { csrf: csrfOfForm(console) });
    await expectOurPage(await browser.request(resume));
    expect(await codes()).toEqual([]);
  });

  it('the same account continues', async () => {
    const page = await openConsent();
    const resume = locationOf(await send(page, approval()));
    await signIn(browser, user);
    expect(locationOf(await browser.request(resume))).toContain('code=bwp_ac_');
  });
});

describe('oidc-provider', () => {
  it('serves none of its own paths', async () => {
    const page = await openConsent();
    const uid = new URL(page.url).pathname.split('/')[2] ?? '';
    const paths = ['/session/end', '/session/end/confirm', '/session/end/success', '/me'];
    for (const path of [...paths, `/device/${uid}`, `/interaction/${uid}`, `/authorize/${uid}`]) {
      for (const answer of [await browser.request(path), await postForm(browser, path, {})]) {
        expect({ path, status: answer.status }).toEqual({ path, status: 404 });
        // A page of ours, which says that there is nothing.
        expect(answer.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
        expect(await answer.text()).not.toMatch(
          /<script(?! type="module" src="\/assets\/)|onload/i,
        );
      }
    }
  });

  it('does not resume an undecided request: the page is shown', async () => {
    const page = await begin();
    const path = new URL(page.url).pathname;
    const uid = path.split('/')[2] ?? '';
    expect(locationOf(await browser.request(`/api/v1/oauth/authorize/${uid}`))).toBe(path);
    expect((await browser.submit(page, credentials())).html).toContain(user.email);
  });
});
