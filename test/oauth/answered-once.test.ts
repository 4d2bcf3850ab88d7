import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { copyOf, newBrowser, signIn, whoIs } from '../support/browser/console.js';
import {
  createPkce,
  createUser,
  mainOf,
  PASSWORD,
  post,
  REDIRECT,
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
let other: Tenant;
let client: TestClient;
let user: TestUser;
let browser: Browser;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  other = await gatehouse.createTenant('other');
  client = await registerClient(gatehouse);
});
beforeEach(async () => {
  user = await createUser(gatehouse, [[acme, 'manager']]);
  browser = newBrowser(gatehouse);
});

const begin = (parameters = {}) =>
  beginAuthorization(gatehouse, browser, client, { scope: 'contacts:read', ...parameters });
const credentials = () => credentialsOf(user);
const openConsent = async (parameters = {}) =>
  browser.submit(await begin(parameters), credentials());
const send = (page: BrowserStop, fields: Record<string, string>) => sendForm(browser, page, fields);
const pathOf = (answer: Response) => new URL(locationOf(answer), gatehouse.config.ISSUER).pathname;
const approval = (tenant = acme) => ({
  tenant_id: tenant.id,
  scope: 'contacts:read',
  decision: 'approve',
});
const counts = async () => {
  const [row] = await gatehouse.database.query<Record<string, number>>(
    `SELECT (SELECT count(*)::int FROM grants WHERE account_id = $1) AS grants,
       (SELECT count(*)::int FROM consents WHERE account_id = $1) AS consents,
       (SELECT count(*)::int FROM audit_log WHERE action = 'grant.create' AND actor = $1) AS entries,
       (SELECT count(*)::int FROM oauth_artifacts a JOIN grants g ON g.id = a.grant_id
        WHERE g.account_id = $1) AS codes`,
    [user.id],
  );
  return row;
};
const ONCE = { grants: 1, consents: 1, entries: 1, codes: 1 };
const NEVER = { grants: 0, consents: 0, entries: 0, codes: 0 };

describe('a decision', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'takes effect once where "Allow" races "Cancel": round %i',
    async () => {
      const page = await openConsent();
      const answers = await Promise.all([
        send(page, approval()),
        send(page, { ...approval(), decision: 'deny' }),
        send(page, approval()),
        send(page, { ...approval(), decision: 'deny' }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([303, 303, 303, 303]);
      const told = await Promise.all(answers.map((answer) => browser.request(locationOf(answer))));
      expect(new Set(told.map(locationOf)).size).toBe(1);
      const outcome = new URL(locationOf(told[0] as Response));
      expect(outcome.href).toMatch(/^https:\/\/app\.example\.com\/callback\?(code|error)=/);
      const hasCode = outcome.searchParams.has('code');
      expect(await counts()).toEqual(hasCode ? ONCE : NEVER);
      expect(outcome.searchParams.get('error')).toBe(hasCode ? null : 'access_denied');
      // A consent is remembered exactly if it was given.
      const again = new URL((await begin()).url);
      expect(again.searchParams.has('code')).toBe(hasCode);
    },
  );

  it.each([
    ['approve', 'deny', ONCE],
    ['deny', 'approve', NEVER],
  ])('stays "%s" when "%s" is sent after it', async (first, second, expected) => {
    const page = await openConsent();
    await send(page, { ...approval(), decision: first });
    const late = await send(page, { ...approval(), decision: second });
    const done = await browser.request(locationOf(late));
    const later = await send(page, { ...approval(), decision: second });
    expect(pathOf(later)).toBe(pathOf(late));
    expect(locationOf(await browser.request(locationOf(later)))).toBe(locationOf(done));
    expect(locationOf(done)).toContain(first === 'approve' ? 'code=' : 'error=access_denied');
    expect(await counts()).toEqual(expected);
  });

  it('issues one code for repeated and concurrent resumes', async () => {
    const page = await openConsent();
    const resume = locationOf(await send(page, approval()));
    const told = await Promise.all(Array.from({ length: 8 }, () => browser.request(resume)));
    expect(told.map(({ status }) => status)).toEqual(told.map(() => 303));
    expect(new Set(told.map(locationOf)).size).toBe(1);
    expect(await counts()).toEqual(ONCE);
    // Whichever of the answers arrives last, its session is the one that is good.
    for (const answer of told) {
      const cookie = answer.headers.getSetCookie().map((line) => line.split(';')[0]);
      browser.cookies.delete('gatehouse_session /');
      browser.cookies.delete('gatehouse_session.sig /');
      for (const [name, value] of cookie.map((pair) => pair?.split('=') ?? [])) {
        browser.cookies.set(`${name} /`, value ?? '');
      }
      expect(await whoIs(browser)).toBe(user.email);
    }
  });

  it('issues a valid code, and the browser stays signed in', async () => {
    const { verifier, challenge } = createPkce();
    const page = await openConsent({ code_challenge: challenge });
    const resume = locationOf(await send(page, approval()));
    // The first responses were lost, with their cookies.
    const before = [...browser.cookies];
    await browser.request(resume);
    browser.cookies.clear();
    for (const [name, value] of before) browser.cookies.set(name, value);
    expect(await whoIs(browser)).toBeUndefined();
    const second = await send(page, approval());
    const told = new URL(locationOf(await browser.request(locationOf(second))));
    expect(await whoIs(browser)).toBe(user.email);

    const answer = await post(gatehouse, 'token', {
      grant_type: 'authorization_code',
      code: told.searchParams.get('code') ?? '',
      redirect_uri: REDIRECT,
      code_verifier: verifier,
      client_id: client.client_id,
    });
    expect(answer.status).toBe(200);
    expect(await counts()).toMatchObject({ grants: 1, consents: 1 });
  });

  it('is not repeated once its code has expired, nor by the Back button', async () => {
    const page = await openConsent();
    const resume = locationOf(await send(page, approval()));
    await browser.request(resume);
    const back = await browser.request(new URL(page.url).pathname);
    expect(back.status).toBe(404);
    expect(mainOf({ html: await back.text() })).toContain('You have already answered this.');

    await gatehouse.database.query(
      `UPDATE oauth_artifacts SET payload = jsonb_set(payload, '{answer,until}', '0')
       WHERE payload ? 'answer'`,
    );
    for (const answer of [await browser.request(resume), await send(page, approval())]) {
      expect(answer.status).toBe(404);
      expect(answer.headers.get('Location')).toBeNull();
      expect(mainOf({ html: await answer.text() })).toContain('You have already answered this.');
    }
    expect(await counts()).toEqual(ONCE);
  });

  it('is rolled back if its code cannot be stored, and can be repeated', async () => {
    const page = await openConsent();
    const resume = locationOf(await send(page, approval()));
    const { database } = gatehouse;
    await database.query(
      `ALTER TABLE oauth_artifacts ADD CONSTRAINT no_codes CHECK (kind <> 'AuthorizationCode') NOT VALID`,
    );
    const failed = await browser.request(resume);
    await database.query('ALTER TABLE oauth_artifacts DROP CONSTRAINT no_codes');
    expect(failed.status).toBe(500);
    expect(failed.headers.get('Location')).toBeNull();
    expect(failed.headers.getSetCookie()).toEqual([]);
    expect(failed.headers.get('Content-Security-Policy')).toContain("default-src 'none'");

    expect(await whoIs(browser)).toBe(user.email);
    expect(locationOf(await browser.request(resume))).toContain('code=bwp_ac_');
    expect(await counts()).toEqual(ONCE);
  });

  it('leaves no grant and no consent if its result cannot be stored', async () => {
    const page = await openConsent();
    const { database } = gatehouse;
    await database.query(
      `ALTER TABLE oauth_artifacts ADD CONSTRAINT no_results CHECK (NOT payload ? 'result') NOT VALID`,
    );
    const failed = await send(page, approval());
    await database.query('ALTER TABLE oauth_artifacts DROP CONSTRAINT no_results');
    expect(failed.status).toBe(500);
    expect(failed.headers.get('Location')).toBeNull();
    expect(await counts()).toEqual(NEVER);
    await browser.request(locationOf(await send(page, approval())));
    expect(await counts()).toEqual(ONCE);
  });
});

describe('a choice of a tenant', () => {
  const choose = (page: BrowserStop) => send(page, { tenant_id: other.id });

  it('that is sent twice creates one grant where consent is remembered', async () => {
    user = await createUser(gatehouse, [
      [acme, 'manager'],
      [other, 'manager'],
    ]);
    const first = await browser.submit(await begin(), credentials());
    const consent = await browser.submit(first, { tenant_id: other.id });
    await browser.submit(consent, { decision: 'approve' });
    const before = await counts();

    const page = await begin();
    const shown = await Promise.all(
      (await Promise.all([choose(page), choose(page)])).map((answer) =>
        browser.request(locationOf(answer)),
      ),
    );
    expect(new Set(shown.map(locationOf)).size).toBe(1);
    const told = await Promise.all(shown.map((answer) => browser.request(locationOf(answer))));
    const late = await choose(page);
    told.push(await browser.request(locationOf(late)));
    expect(new Set(told.map(locationOf)).size).toBe(1);
    expect(locationOf(told[0] as Response)).toContain('code=bwp_ac_');
    expect((await counts())?.['grants']).toBe((before?.['grants'] ?? 0) + 1);
  });
});

describe('a login', () => {
  it('that is sent twice leads to one consent page', async () => {
    const page = await begin();
    const answers = await Promise.all([send(page, credentials()), send(page, credentials())]);
    expect(answers.map(pathOf)).toEqual([
      pathOf(answers[0] as Response),
      pathOf(answers[1] as Response),
    ]);
    const next = await Promise.all(answers.map((answer) => browser.request(locationOf(answer))));
    const late = await send(page, credentials());
    next.push(await browser.request(locationOf(late)));
    const consents = new Set(next.map(locationOf));
    expect(consents.size).toBe(1);
    const consent = await browser.open([...consents][0] ?? '');
    const done = await browser.submit(consent, { decision: 'approve' });
    expect(done.url).toContain('code=bwp_ac_');
    expect(await counts()).toEqual(ONCE);
  });

  it('another account does not get the response of the first one', async () => {
    const ben = await createUser(gatehouse, [[acme, 'member']]);
    const page = await begin();
    await browser.request(locationOf(await send(page, credentials())));
    const answer = await send(page, { email: ben.email, password: PASSWORD });
    expect(answer.status).toBe(404);
    expect(await answer.text()).not.toContain(user.email);
  });

  it('continues with its session after a lost response', async () => {
    const page = await begin();
    const resume = locationOf(await send(page, credentials()));
    const lost = copyOf(browser, gatehouse);
    const first = locationOf(await lost.request(resume));
    const second = locationOf(await browser.request(locationOf(await send(page, credentials()))));
    expect(second).toBe(first);
    const done = await browser.submit(await browser.open(second), { decision: 'approve' });
    expect(done.url).toContain('code=bwp_ac_');
  });

  it('does not restore a session that has ended, nor replace a newer one', async () => {
    const ben = await createUser(gatehouse, [[acme, 'member']]);
    const page = await begin();
    const resume = locationOf(await send(page, credentials()));
    await browser.request(resume);
    await signIn(browser, ben);
    expect(await whoIs(browser)).toBe(ben.email);
    await browser.request(resume);
    expect(await whoIs(browser)).toBe(ben.email);
    browser.cookies.delete('gatehouse_session /');
    await browser.request(resume);
    expect(await whoIs(browser)).toBeUndefined();
  });
});
