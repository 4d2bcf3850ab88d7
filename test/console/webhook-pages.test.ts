import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import {
  createReceiver,
  createTestDelivery,
  type Receiver,
} from '../support/app/webhook-receiver.js';
import { csrfOf, newBrowser, postForm, signIn } from '../support/browser/console.js';
import {
  createUser,
  mainOf,
  PASSWORD,
  type Browser,
  type TestUser,
} from '../support/oauth/oauth.js';

const PAGE = '/settings/webhooks';
const HANDLE = 'A'.repeat(22);
const FIFTY_ONE = Array.from({ length: 51 }, (_, n) => `a.${'x'.repeat(n + 1)}`).join('\n');
const HOSTILE = '"><script>alert(1)</script>';

interface Visitor {
  readonly browser: Browser;
  readonly csrf: string;
}
type Fields = Readonly<Record<string, string>>;

const gatehouse = useGatehouse({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
let acme: Tenant;
let bolt: Tenant;
let ada: TestUser;
let me: Visitor;
let receiver: Receiver;
let replica: ReturnType<typeof createTestDelivery>;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  bolt = await gatehouse.createTenant('bolt');
  ada = await createUser(gatehouse, [
    [acme, 'company_admin'],
    [bolt, 'company_admin'],
  ]);
  me = await signedIn(ada);
  receiver = await createReceiver();
  replica = createTestDelivery(gatehouse);
});
beforeEach(async () => {
  receiver.received.length = 0;
  receiver.answer = undefined;
  await gatehouse.database.query(
    'DELETE FROM attempts; DELETE FROM secret_handovers; DELETE FROM webhooks; DELETE FROM webhook_deliveries',
  );
});
afterAll(() => receiver.close());

async function signedIn(user: TestUser): Promise<Visitor> {
  const browser = newBrowser(gatehouse);
  return { browser, csrf: csrfOf(await signIn(browser, user)) };
}

const at = (path: string, tenant = 'acme') => `${PAGE}${path}?tenant=${tenant}&env=live`;
async function send(path: string, fields: Fields = {}, by = me) {
  const answer = await postForm(by.browser, path.startsWith('/settings') ? path : at(path), {
    csrf: by.csrf,
    ...fields,
  });
  const html = await answer.text();
  return { status: answer.status, location: answer.headers.get('Location') ?? '', html };
}
const open = async (path: string, by = me) => {
  const page = await by.browser.open(path.startsWith('/settings') ? path : at(path));
  return { ...page, text: mainOf(page) };
};
const secretOf = ({ text }: { text: string }) => /id="secret"[^>]*>([^<]+)</.exec(text)?.[1];
const webhooks = () =>
  gatehouse.database.query<{ id: string; tenant_id: string; url: string; types: string[] }>(
    'SELECT id, tenant_id, url, types FROM webhooks ORDER BY id',
  );
const audited = (action: string) =>
  gatehouse.database.query<{ actor: string; tenant_id: string; details: unknown }>(
    'SELECT actor, tenant_id, details FROM audit_log WHERE action = $1 ORDER BY at DESC, id DESC',
    [action],
  );
const emit = (subject: string, tenant = acme, type = 'test.noted') =>
  gatehouse.database.query(
    `INSERT INTO audit_log (tenant_id, action, subject, actor) VALUES ($1, $2, $3, 'operator')`,
    [tenant.id, type, subject],
  );

/** Makes a webhook by the form. */
async function make(fields: Fields = {}) {
  const { status, location } = await send('/new', {
    url: receiver.url('/hook'),
    types: 'test.*',
    ...fields,
  });
  expect([status, location]).toEqual([303, expect.stringContaining('/secret?')]);
  const id = /whk_\w+/.exec(location)?.[0] ?? '';
  return { id, location };
}

describe('a new webhook', () => {
  it('is made by a form for the organization, and its secret is shown once, to this session', async () => {
    expect((await open('')).text).toContain('No webhooks yet');
    const { id, location } = await make({ handle: HANDLE });
    expect(await webhooks()).toEqual([
      { id, tenant_id: acme.id, url: receiver.url('/hook'), types: ['test.*'] },
    ]);
    expect((await audited('webhook.create'))[0]).toMatchObject({
      actor: ada.id,
      tenant_id: acme.id,
      details: { origin: receiver.url('') },
    });
    expect(secretOf(await open(location, await signedIn(ada)))).toBeUndefined();
    expect(await (await me.browser.request(location, { method: 'HEAD' })).text()).toBe('');
    const shown = await open(location);
    const secret = secretOf(shown) ?? '';
    expect(shown.text).toContain(`webhook to <bdi dir="auto">${new URL(receiver.url('')).host}<`);
    expect(secret).toMatch(/^whsec_[\w+/=]{44}$/);
    expect(shown.headers.get('Cache-Control')).toBe('no-store');
    const again = await open(location);
    expect(again.text).toContain('Already shown');
    expect(again.html).toContain(`/settings/webhooks/${id}?tenant=acme&amp;env=live#rotate"`);
    expect(again.html).not.toContain(secret);
    expect(await gatehouse.database.dump()).not.toContain(secret.slice(6));

    await emit('ours');
    await emit('theirs', bolt);
    await replica.deliver();
    const [message, ...others] = receiver.received;
    expect([message?.event.subject, others]).toEqual(['ours', []]);
    const headers = message?.headers as Record<string, string>;
    expect(new Webhook(secret).verify(message?.body ?? '', headers)).toBeDefined();
    const list = await open(`${at('')}&fresh=${id}`);
    expect(list.text).toContain(`href="${PAGE}/${id}?tenant=acme&amp;env=live"`);
    expect(list.text).toContain('class="fresh"');
    const log = await open(`/settings/audit-log?tenant=acme&action=webhook.create`);
    expect(log.text).toContain(`${PAGE}/${id}?tenant=acme`);
  });

  it('is one webhook, however often the same form is sent', async () => {
    const fields = { handle: HANDLE, url: receiver.url('/hook'), types: '*' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => send('/new', fields)));
    expect(answers.map(({ status }) => status)).toEqual([303, 303, 303, 303, 303]);
    expect(new Set(answers.map(({ location }) => location)).size).toBe(1);
    expect(await webhooks()).toHaveLength(1);
  });

  it.each([
    ['url', { url: 'https://10.0.0.1/x' }],
    ['url', { url: 'http://hooks.example.com/' }],
    ['url', { url: 'https://ann:secret@hooks.example.com/' }],
    ['url', { url: `https://hooks.example.com/${'x'.repeat(3000)}` }],
    ['url', { url: '' }],
    ['types', { types: ' ' }],
    ['types', { types: HOSTILE }],
    ['types', { types: FIFTY_ONE }],
  ])('keeps what was typed when it refuses %s, case %#', async (field, fields: Fields) => {
    const typed = { url: 'https://hooks.example.com/in', types: 'api_key.*', ...fields };
    const { status, html } = await send('/new', typed);
    expect([status, html.includes(`id="${field}-error"`)]).toEqual([422, true]);
    expect(html).not.toContain('<script>alert');
    const kept = field === 'url' ? 'api_key.*</textarea>' : 'value="https://hooks.example.com/in"';
    expect(html).toContain(kept);
    expect(await webhooks()).toEqual([]);
  });

  it('is refused beyond 20, unconfirmed after 15 minutes, and to a former administrator', async () => {
    await gatehouse.database.query(
      `INSERT INTO webhooks (id, tenant_id, url, types, ciphertext, ciphertext_key_id)
       SELECT 'whk_' || lpad(n::text, 26, '0'), $1, 'https://example.com', '{*}', '', '' FROM generate_series(1, 20) n`,
      [acme.id],
    );
    const fields = { url: 'https://hooks.example.com/in', types: '*' };
    const full = await send('/new', fields);
    expect([full.status, full.html]).toEqual([409, expect.stringContaining('20 webhooks at most')]);
    await gatehouse.database.query('DELETE FROM webhooks');

    const late = await signedIn(ada);
    await gatehouse.database.query(
      `UPDATE sessions SET created_at = created_at - interval '1 hour'`,
    );
    me = await signedIn(ada);
    const asked = await send('/new', { ...fields, handle: HANDLE }, late);
    expect([asked.status, asked.html]).toEqual([
      200,
      expect.stringContaining('Confirm that it is you'),
    ]);
    expect(asked.html).toContain('name="url" value="https://hooks.example.com/in"');
    const wrong = await send('/new', { ...fields, confirm_password: 'wrong' }, late);
    expect([wrong.status, await webhooks()]).toEqual([422, []]);
    const confirmed = { ...fields, handle: HANDLE, confirm_password: PASSWORD };
    expect((await send('/new', confirmed, late)).status).toBe(303);
    expect(await webhooks()).toHaveLength(1);

    const bob = await createUser(gatehouse, [[acme, 'company_admin']]);
    const visitor = await signedIn(bob);
    const { id } = await make();
    for (const role of ['manager', 'viewer']) {
      await gatehouse.database.query('UPDATE memberships SET role = $2 WHERE account_id = $1', [
        bob.id,
        role,
      ]);
      const paths = ['/new', `/${id}`, `/${id}/rotate`, `/${id}/test`, `/${id}/disable`];
      for (const path of [...paths, `/${id}/remove`, `/${id}/redeliver`, `/${id}/enable`]) {
        expect([path, (await send(path, fields, visitor)).status]).toEqual([path, 403]);
      }
    }
  });
});

describe('the page of a webhook', () => {
  it('shows what was sent, tests it, and sends events again', async () => {
    const { id } = await make();
    const page = at(`/${id}`);
    expect((await open(page)).text).toContain('Nothing was sent');
    expect((await send(`/${id}/test`)).location).toBe(`${page}&done=tested`);
    receiver.answer = ({ event }, response) =>
      response.writeHead(event.type === 'webhook.test' ? 204 : 503).end();
    await emit(HOSTILE);
    await replica.deliver();
    const log = await open(page);
    expect(log.text).toContain('204 in ');
    expect(log.text).toContain('503 in ');
    expect(log.html).not.toContain('<script>alert');
    expect(log.text).toMatch(/Failing[^]*Delivered/);

    receiver.answer = undefined;
    receiver.received.length = 0;
    const delivery = /name="delivery" value="(dlv_\d+)"/.exec(log.text)?.[1] ?? '';
    expect((await send(`/${id}/redeliver`, { delivery })).location).toBe(`${page}&done=repeated`);
    await replica.deliver();
    expect(receiver.received.map(({ event }) => event.subject)).toEqual([HOSTILE, HOSTILE]);

    const since = new Date(Date.now() - 60_000).toISOString().slice(0, 16);
    const { location } = await send(`/${id}/redeliver`, { since });
    expect(location).toMatch(/done=repeated-\d+$/);
    expect((await open(location)).text).toMatch(/\d events? (?:is|are) sent again/);
    for (const wrong of ['', 'yesterday', '2026-02-30T10:00', HOSTILE]) {
      const { status, html } = await send(`/${id}/redeliver`, { since: wrong });
      expect([wrong, status, html.includes('id="since-error"')]).toEqual([wrong, 422, true]);
    }
    for (const unknown of ['dlv_999999999', 'x', HOSTILE]) {
      const { status, html } = await send(`/${id}/redeliver`, { delivery: unknown });
      expect([status, html.includes('There is no such delivery.')]).toEqual([404, true]);
    }
  });

  it('turns pages of 25 deliveries', async () => {
    const { id } = await make();
    await gatehouse.database.query(
      `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject, state)
       SELECT $1, n, '2026-01-01', 'test.noted', 'subject-' || n, 'delivered' FROM generate_series(1, 30) n`,
      [id],
    );
    const first = await open(at(`/${id}`));
    expect(first.text).toContain('25 deliveries on this page');
    const next = /href="([^"]+)" rel="next"/.exec(first.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const second = await open(next);
    expect(second.text).toContain('5 deliveries on this page');
    expect(second.text).toContain('subject-1<');
    const { id: another } = await make();
    expect((await me.browser.request(next.replace(id, another))).status).toBe(400);
  });

  it('changes it, and refuses what somebody else has changed meanwhile', async () => {
    const { id } = await make();
    const seenIn = ({ text }: { text: string }) =>
      /name="seen" value="([^"]+)"/.exec(text)?.[1] ?? '';
    const seen = seenIn(await open(at(`/${id}`)));
    const change = { url: receiver.url('/moved'), types: 'test.a, test.b\n test.a', seen };
    expect((await send(`/${id}`, change)).location).toMatch(/done=saved$/);
    expect(await webhooks()).toMatchObject([
      { url: receiver.url('/moved'), types: ['test.a', 'test.b'] },
    ]);
    const stale = await send(`/${id}`, { ...change, url: 'https://late.example.com/' });
    expect([stale.status, stale.html]).toEqual([409, expect.stringContaining('meanwhile')]);
    expect(stale.html).toContain('value="https://late.example.com/"');
    const wrong = { ...change, url: 'https://[fe80::1]/', seen: seenIn(await open(at(`/${id}`))) };
    const refused = await send(`/${id}`, wrong);
    expect([refused.status, refused.html]).toEqual([422, expect.stringContaining('url-error')]);
    expect((await webhooks())[0]?.url).toBe(receiver.url('/moved'));
  });

  it('replaces the secret, disables, enables and removes', async () => {
    const { id, location } = await make();
    const former = secretOf(await open(location)) ?? '';
    const rotated = await send(`/${id}/rotate`, { handle: 'B'.repeat(22), overlap: '3600' });
    expect(rotated.location).toMatch(/handle=B{22}&of=rotation$/);
    const latter = secretOf(await open(rotated.location)) ?? '';
    expect(latter).toMatch(/^whsec_/);
    await send(`/${id}/test`);
    await replica.deliver();
    const [message] = receiver.received;
    for (const secret of [former, latter]) {
      const headers = message?.headers as Record<string, string>;
      expect(new Webhook(secret).verify(message?.body ?? '', headers)).toBeDefined();
    }
    expect((await send(`/${id}/rotate`, { overlap: '999999' })).status).toBe(400);

    expect((await send(`/${id}/disable`)).location).toMatch(/done=disabled$/);
    const disabled = await open(at(`/${id}`));
    expect(disabled.text).toContain('disabled by a person');
    expect(disabled.text).not.toContain('Send a test event');
    const late = await send(`/${id}/test`);
    expect([late.status, late.html]).toEqual([409, expect.stringContaining('is disabled')]);
    expect((await send(`/${id}/enable`)).location).toMatch(/done=enabled$/);

    const asked = await open(at(`/${id}/remove`));
    expect(asked.text).toContain('its log is deleted');
    expect(await webhooks()).toHaveLength(1);
    expect((await send(`/${id}/remove`)).location).toMatch(/done=removed$/);
    expect(await webhooks()).toEqual([]);
    expect((await send(`/${id}/remove`)).status).toBe(404);
    expect((await audited('webhook.remove'))[0]).toMatchObject({ actor: ada.id });
  });

  it('is not found in another organization, and only looked at in a suspended one', async () => {
    const { id, location } = await make();
    const url = new URL(location, 'https://x.test');
    const theirs = (path: string) => at(`/${id}${path}`, 'bolt');
    expect((await me.browser.request(theirs(''))).status).toBe(404);
    expect((await me.browser.request(`${url.pathname}?tenant=bolt&handle=x`)).status).toBe(404);
    const seen = 'x';
    for (const path of ['', '/rotate', '/test', '/redeliver', '/disable', '/enable', '/remove']) {
      const { status } = await send(theirs(path), {
        seen,
        overlap: '0',
        since: '2026-01-01T00:00',
      });
      expect([path, status]).toEqual([path, 404]);
    }
    for (const odd of ['whk_', 'whk_%00', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV']) {
      expect((await me.browser.request(at(`/${odd}`))).status).toBe(404);
    }
    const tenants = createTenantStore(gatehouse.dataSource.manager);
    await tenants.setSuspended(acme.id, true);
    const page = await open(at(`/${id}`));
    expect(page.status).toBe(200);
    expect(page.text).not.toContain('<form');
    expect((await open('/new')).text).toContain('suspended');
    expect((await send(`/${id}/test`)).status).toBe(403);
    await tenants.setSuspended(acme.id, false);
  });
});
