import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createTenantStore } from '../../src/tenants/index.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { postForm } from '../support/browser/console.js';
import { signedInBrowser, type SignedInBrowser } from '../support/browser/session.js';
import {
  createUser,
  getTokens,
  mainOf,
  registerClient,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const LIST = '/settings/connected-apps';
const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`;

const gatehouse = useGatehouse();
let acme: Tenant;
let ada: TestUser;
let bob: TestUser;
let eve: TestUser;
let as: Record<'ada' | 'bob' | 'eve', SignedInBrowser>;
let app: TestClient;
let ofAda: TokenResponse;
let ofBob: TokenResponse;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  const bolt = await gatehouse.createTenant('bolt');
  ada = await createUser(gatehouse, [[acme, 'company_admin']]);
  bob = await createUser(gatehouse, [[acme, 'viewer']]);
  eve = await createUser(gatehouse, [
    [bolt, 'company_admin'],
    [acme, 'viewer'],
  ]);
  as = {
    ada: await signedInBrowser(gatehouse, ada),
    bob: await signedInBrowser(gatehouse, bob),
    eve: await signedInBrowser(gatehouse, eve),
  };
});
beforeEach(async () => {
  await gatehouse.database.query('DELETE FROM attempts');
  app = await registerClient(gatehouse, { client_name: `Planner ${HOSTILE}` });
  ofAda = await getTokens(gatehouse, { client: app, user: ada });
  ofBob = await getTokens(gatehouse, { client: app, user: bob });
});

const read = async ({ browser }: SignedInBrowser, path: string) => {
  const page = await browser.open(path);
  return { ...page, main: mainOf(page) };
};
const linksIn = (html: string) =>
  [...html.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => href.replaceAll('&amp;', '&'));
const linkTo = (html: string, part: string) =>
  linksIn(html).find((href) => href.includes(part)) ?? `no link to ${part}`;
/** Opens a page that asks, and submits its form. */
const confirm = async (who: SignedInBrowser, path: string) => {
  const page = await who.browser.open(path);
  return who.browser.submit({ ...page, html: mainOf(page) }, {});
};
const statusOf = async ({ access_token: token }: TokenResponse) =>
  (await gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`)).status;
const appPath = () => `${LIST}/app?tenant=acme&client=${encodeURIComponent(app.client_id)}`;

describe('the list of connected apps', () => {
  it("shows one's own installations, as text only", async () => {
    const { main } = await read(as.bob, LIST);

    expect(main).toContain('Planner');
    expect(main).toContain('app.example.com');
    expect(main).toContain('Not verified');
    expect(main).toContain('List and read contacts.');
    expect(main).not.toContain('<script');
    expect(main).not.toContain('<img');
    expect(main).not.toContain(ada.email);
    expect(main).not.toContain('of=organization');
  });

  it("shows everybody's to administrators, and nothing of it to others", async () => {
    const { main } = await read(as.ada, `${LIST}?of=organization`);
    expect(main).toContain(ada.email);
    expect(main).toContain(bob.email);

    expect((await read(as.bob, `${LIST}?tenant=acme&of=organization`)).main).not.toContain(
      ada.email,
    );
    expect((await read(as.eve, `${LIST}?tenant=bolt&of=organization`)).main).not.toContain(
      'Planner',
    );
    expect((await as.bob.browser.open(`${LIST}/blocked?tenant=acme`)).status).toBe(403);
  });

  it('offers nothing that is refused while the organization is suspended', async () => {
    const tenants = createTenantStore(gatehouse.dataSource.manager);
    await tenants.setSuspended(acme.id, true);
    for (const path of [`${LIST}?tenant=acme&of=organization`, '/settings/apps', appPath()]) {
      const { main } = await read(as.ada, path);
      expect([path, main]).toEqual([path, expect.stringContaining('Planner')]);
      expect(main).not.toMatch(/\/end\?|Disconnect/);
    }
    await gatehouse.createKey(acme, { name: 'Nightly' });
    const keys = await read(as.ada, '/settings/api-keys?tenant=acme');
    expect(keys.main).toContain('Nightly');
    expect(keys.main).not.toMatch(/#(?:edit|rotate|revoke)"/);
    const tester = await read(as.ada, '/settings/tester?tenant=acme');
    expect(tester.html).toContain('The organization is suspended.');
    expect(tester.main).not.toContain('<form');
    expect((await read(as.ada, '/settings/profile')).main).not.toContain('/leave');
    expect((await read(as.ada, '/settings/search?tenant=acme')).main).not.toContain('/new');
    await tenants.setSuspended(acme.id, false);
  });

  it('has an empty state', async () => {
    expect((await read(as.eve, `${LIST}?tenant=bolt`)).main).toContain('No app is connected');
    expect((await read(as.eve, '/settings/apps')).main).toContain('You use no apps yet');
  });

  it('lists the apps of all organizations at Apps you use', async () => {
    await getTokens(gatehouse, { client: app, user: eve, tenantId: acme.id });

    const { main } = await read(as.eve, '/settings/apps?tenant=bolt');

    expect(main).toContain('Planner');
    expect(linkTo(main, '/end?')).toContain('tenant=acme');
    const done = await confirm(as.eve, linkTo(main, '/end?'));
    expect(new URL(done.url).pathname).toBe('/settings/apps');
    expect(mainOf(done)).toContain('You use no apps yet');
  });
});

describe('ending', () => {
  it('one installation takes effect on the next request', async () => {
    const { main } = await read(as.bob, LIST);
    const path = linkTo(main, '/end?');
    expect(mainOf(await as.bob.browser.open(path))).toContain('refused from the next request on');

    const done = await confirm(as.bob, path);

    expect(mainOf(done)).toContain('The installation has ended.');
    expect([await statusOf(ofBob), await statusOf(ofAda)]).toEqual([401, 200]);
    const page = await as.bob.browser.open(path);
    const again = await postForm(as.bob.browser, path, { csrf: as.bob.csrf });
    for (const { status, html } of [page, { status: again.status, html: await again.text() }]) {
      expect([status, mainOf({ html })]).toEqual([
        404,
        expect.stringMatching(/Connected apps[^]+may have ended in the meantime/),
      ]);
    }
  });

  it("somebody else's is for administrators", async () => {
    const path = linkTo((await read(as.ada, LIST)).main, '/end?');

    expect((await as.bob.browser.open(path)).status).toBe(404);
    const forged = { csrf: as.bob.csrf };
    expect((await postForm(as.bob.browser, path, forged)).status).toBe(404);
    expect(await statusOf(ofAda)).toBe(200);
  });

  it('all of them is offered on the page of the app, by role', async () => {
    const own = (await read(as.bob, appPath())).main;
    expect(own).toContain('Disconnect for me');
    expect(own).not.toContain('Disconnect for everybody');
    expect(own).not.toContain('Block here');
    const path = linkTo((await read(as.ada, appPath())).main, 'of=organization&client');
    expect(path).toContain('no link');

    const everybody = `${LIST}/disconnect?tenant=acme&of=organization&client=${app.client_id}`;
    const { status } = await postForm(as.bob.browser, everybody, { csrf: as.bob.csrf });
    expect(status).toBe(403);
    expect(await statusOf(ofBob)).toBe(200);

    expect(mainOf(await confirm(as.ada, everybody))).toContain('The app is disconnected.');
    expect([await statusOf(ofBob), await statusOf(ofAda)]).toEqual([401, 401]);
  });

  it('needs a form of the same browser', async () => {
    const path = linkTo((await read(as.bob, LIST)).main, '/end?');
    expect((await postForm(as.bob.browser, path, {})).status).toBe(403);
    expect((await postForm(as.bob.browser, path, { csrf: as.ada.csrf })).status).toBe(403);
    const foreign = { Origin: 'https://evil.example' };
    expect((await postForm(as.bob.browser, path, { csrf: as.bob.csrf }, foreign)).status).toBe(403);
    expect(await statusOf(ofBob)).toBe(200);
  });
});

describe('blocking', () => {
  it('ends the app here, and is undone on the list of blocked apps', async () => {
    const block = `${LIST}/block?tenant=acme&client=${encodeURIComponent(app.client_id)}`;
    expect((await as.bob.browser.open(block)).status).toBe(403);

    const done = await confirm(as.ada, block);

    expect(mainOf(done)).toContain('The app is blocked.');
    expect(mainOf(done)).toContain('Planner');
    expect(await statusOf(ofBob)).toBe(401);
    expect((await read(as.ada, appPath())).main).toContain('This organization blocks the app.');
    const fields = { csrf: as.ada.csrf, client: app.client_id };
    const undone = await postForm(as.ada.browser, `${LIST}/blocked?tenant=acme`, fields);
    expect(undone.status).toBe(303);
    const late = await postForm(as.ada.browser, `${LIST}/blocked?tenant=acme`, fields);
    expect(late.status).toBe(409);
    expect(await late.text()).toContain('Somebody else has unblocked the app in the meantime.');
    await getTokens(gatehouse, { client: app, user: bob });
  });

  it('is not possible for an app of which nothing is here', async () => {
    const stranger = await registerClient(gatehouse);
    const path = `${LIST}/app?tenant=acme&client=${stranger.client_id}`;
    expect((await as.ada.browser.open(path)).status).toBe(404);
    expect((await as.ada.browser.open(`${LIST}/app?tenant=acme&client=%00`)).status).toBe(404);
  });
});
