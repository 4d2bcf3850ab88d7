import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { callApi } from '../support/browser/console.js';
import { usePeople, type Visit } from '../support/browser/people.js';
import { createKeyDesk } from '../support/app/key-desk.js';
import { getTokens, registerClient } from '../support/oauth/oauth.js';

const KEY = { name: 'Nightly <b>export</b>', scopes: ['contacts:read'] };

const people = usePeople({ RATE_LIMIT_KEY_PER_MINUTE: '0' });
let ann: Visit;
let bob: Visit;
beforeAll(async () => {
  [ann, bob] = [await people.signedIn(people.ann), await people.signedIn(people.bob)];
});
beforeEach(async () => {
  people.server.mails.length = 0;
  await people.gatehouse.database.query('DELETE FROM attempts; DELETE FROM outgoing_mail');
});

/** The mails that wait, once they are sent: recipients and subjects. */
async function sent() {
  await people.gatehouse.app.mail.deliver();
  return people.server.mails.map(({ to, subject }) => [to.join(), subject]);
}
const call = ({ browser }: Visit, path: string, body: object) =>
  browser
    .open('/settings/profile')
    .then(({ html }) => /csrf-token" content="([^"]+)"/.exec(html)?.[1] ?? '')
    .then((csrf) => callApi(browser, 'POST', path, { 'X-CSRF-Token': csrf }, body));

describe('the mail about a new key', () => {
  it('goes to the owner of a personal token, made by the page or the API, without its secret', async () => {
    const page = '/settings/tokens/new?tenant=acme';
    const fields = { name: 'Laptop', access: 'read', expires: '30' };
    expect((await bob.post(page, { ...fields, name: '' })).status).toBe(422);
    const { location } = await bob.post(page, fields);
    const dump = await people.gatehouse.database.dump();
    const secret = /bwp_pat_\w{49}/.exec((await bob.open(location ?? '')).html)?.[0] ?? 'none';
    await call(bob, '/api/v1/personal-access-tokens', { name: 'Phone', access: 'read' });

    const subject = (name: string) =>
      `BuildWorkPro: the personal access token “${name}” was created`;
    expect(await sent()).toEqual([
      ['bob@example.com', subject('Laptop')],
      ['bob@example.com', subject('Phone')],
    ]);
    const [mail] = people.server.mails;
    expect(mail?.text).toContain('A program that holds it acts as you.');
    expect(mail?.text).toContain(`bwp_pat_…${secret.slice(-4)}`);
    expect(mail?.text + (mail?.html ?? '')).not.toContain(secret);
    expect(dump).not.toContain(secret);
    const target = await bob.open((mail?.link ?? '').replace('http://localhost:3000', ''));
    expect([target.status, target.html]).toEqual([200, expect.stringContaining('Laptop')]);
  });

  it('goes to the person who made another secret, also by its rotation', async () => {
    for (const kind of ['secret', 'service', 'agent', 'publishable'] as const) {
      const scopes = kind === 'publishable' ? ['products:read'] : KEY.scopes;
      const made = await call(ann, '/api/v1/api-keys', { ...KEY, kind, scopes });
      expect(made.status).toBe(201);
      if (kind === 'secret') await call(ann, `/api/v1/api-keys/${made.data?.id}/rotate`, {});
    }
    const subject = (kind: string) => `BuildWorkPro: the ${kind} “${KEY.name}” was created`;
    expect(await sent()).toEqual(
      ['secret key', 'secret key', 'service credential', 'agent credential'].map((kind) => [
        'ann@example.com',
        subject(kind),
      ]),
    );
    const { html = '', link = '' } = people.server.mails[2] ?? {};
    expect(html).toContain('Nightly &lt;b&gt;export&lt;/b&gt;');
    expect((await ann.open(link.replace('http://localhost:3000', ''))).status).toBe(200);
  });

  it('goes to the administrators if a key made it, at most 20 an hour to each', async () => {
    const maker = await people.gatehouse.createKey(people.acme, { name: 'Maker' });
    expect(await sent()).toEqual([]);
    const desk = createKeyDesk(people.gatehouse, maker);
    for (let times = 0; times < 22; times += 1) await desk.issue(KEY);
    const mails = await sent();
    expect(mails).toHaveLength(20);
    expect(new Set(mails.map(([to]) => to))).toEqual(new Set(['ann@example.com']));
    const refused = await desk.ask({ ...KEY, expiresAt: '2001-01-01T00:00:00Z' });
    expect(refused.status).toBe(422);
  });

  it('is not sent for a request that is repeated, or undone', async () => {
    const maker = await people.gatehouse.createKey(people.acme, {
      name: 'Narrow',
      scopes: ['api_keys:manage', 'contacts:read'],
    });
    const desk = createKeyDesk(people.gatehouse, maker);
    const ask = () => desk.ask(KEY).set('Idempotency-Key', 'once');
    expect([(await ask()).status, (await ask()).status]).toEqual([201, 201]);
    expect((await desk.ask({ ...KEY, scopes: ['leads:read'] })).status).toBe(403);
    expect(await sent()).toHaveLength(1);
  });
});

describe('the mail about an app', () => {
  it('is sent for the first consent, and again after the app was disconnected', async () => {
    const { gatehouse, bob: user } = people;
    const client = await registerClient(gatehouse, { client_name: 'Sync <i>' });
    const connect = () => getTokens(gatehouse, { client, user });
    const expected = ['bob@example.com', 'BuildWorkPro: “Sync <i>” can use your account now'];
    await connect();
    await connect();
    expect(await sent()).toEqual([expected]);
    const [mail] = people.server.mails;
    expect(mail?.text).toContain('The app chose this name itself.');
    expect(mail?.html).toContain('Sync &lt;i&gt;');
    expect(mail?.text).not.toMatch(/bwp_/);
    const page = await bob.open((mail?.link ?? '').replace('http://localhost:3000', ''));
    expect(page.html).toContain('Sync &lt;i&gt;');

    await gatehouse.database.query('DELETE FROM consents');
    await connect();
    expect(await sent()).toEqual([expected, expected]);
  });
});
