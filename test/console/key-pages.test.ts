import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import { csrfOf, newBrowser, postForm, signIn } from '../support/browser/console.js';
import { createUser, mainOf, type Browser, type TestUser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PAGE = '/settings/api-keys';
const HANDLE = 'A'.repeat(22);
const NEW = {
  kind: 'secret',
  environment: 'live',
  name: 'Nightly export',
  scope: ['contacts:read', 'contacts:write'],
  expires: '90',
};

const gatehouse = useGatehouse();
let acme: Tenant;
let bolt: Tenant;
let ada: TestUser;
let me: { browser: Browser; csrf: string };
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  bolt = await gatehouse.createTenant('bolt');
  ada = await createUser(gatehouse, [[acme, 'company_admin']]);
  me = await signedIn(ada);
});
beforeEach(() =>
  gatehouse.database.query(
    'DELETE FROM attempts; DELETE FROM secret_handovers; DELETE FROM credentials',
  ),
);

async function signedIn(user: TestUser) {
  const browser = newBrowser(gatehouse);
  return { browser, csrf: csrfOf(await signIn(browser, user)) };
}

type Fields = Readonly<Record<string, string | readonly string[]>>;

const at = (path: string, more = '') => `${PAGE}${path}?tenant=acme&env=live${more}`;
const send = (path: string, fields: Fields = {}, by = me) =>
  postForm(by.browser, at(path), { csrf: by.csrf, ...fields });
const open = async (path: string, by = me) => {
  const page = await by.browser.open(path);
  return { ...page, text: mainOf(page) };
};
const secretOf = ({ text }: { text: string }) => /id="secret"[^>]*>([^<]+)</.exec(text)?.[1];
const keys = () =>
  gatehouse.database.query<{ id: string; name: string; status: string; expires_at: Date | null }>(
    'SELECT id, name, expires_at FROM credentials ORDER BY issue_seq',
  );
const statusOf = async (secret = '') =>
  (await gatehouse.http.get('/api/v1/me').set({ Authorization: `Bearer ${secret}` })).status;

describe('a new key', () => {
  it('is made by a form, and its secret is shown once, to this session', async () => {
    const made = await send('/new', { ...NEW, handle: HANDLE });
    expect(made.status).toBe(303);
    const target = made.headers.get('Location') ?? '';
    expect(target).toMatch(/^\/settings\/api-keys\/key_\w+\/secret\?tenant=acme&env=live&handle=/);

    const other = await signedIn(ada);
    expect(secretOf(await open(target, other))).toBeUndefined();
    const head = await me.browser.request(target, { method: 'HEAD' });
    expect(head.status).toBe(200);
    const shown = await open(target);
    const secret = secretOf(shown);
    expect(secret).toMatch(/^bwp_live_\w{49}$/);
    expect(shown.text).toContain(`BUILDWORKPRO_API_KEY=${secret}`);
    expect(shown.headers.get('Cache-Control')).toBe('no-store');
    expect(await statusOf(secret)).toBe(200);

    const again = await open(target);
    expect(again.text).toContain('Already shown');
    expect(again.html).not.toContain(secret);
    expect(await keys()).toHaveLength(1);
    const kept = await gatehouse.database.query('SELECT * FROM secret_handovers');
    expect(JSON.stringify(kept)).not.toContain(secret);
    expect(kept).toMatchObject([{ ciphertext: null }]);
  });

  it('is one key, however often the same form is sent', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => send('/new', { ...NEW, handle: HANDLE })),
    );
    const targets = new Set(answers.map(({ headers }) => headers.get('Location')));
    expect(answers.map(({ status }) => status)).toEqual([303, 303, 303, 303, 303]);
    expect(targets.size).toBe(1);
    expect(await keys()).toHaveLength(1);
  });

  it('has what the form says', async () => {
    const fields = {
      ...NEW,
      kind: 'agent',
      environment: 'test',
      scope: 'contacts:read',
      allowedIps: '203.0.113.7\n 2001:db8::/32 ',
      rateLimit: '600',
      expires: 'date',
      expiresOn: '2099-01-31',
      bindingType: ['contacts', 'products'],
      bindingId: ['42', ''],
    };
    const answer = await postForm(
      me.browser,
      '/settings/machine-credentials/new?tenant=acme&env=test',
      { csrf: me.csrf, ...fields },
    );
    expect(answer.status).toBe(303);
    expect(
      await gatehouse.database.query(
        `SELECT kind, environment, scopes, allowed_ips, rate_limit_per_minute, bindings, created_by,
           expires_at = '2099-01-31T23:59:59Z' AS "endsThatDay" FROM credentials`,
      ),
    ).toEqual([
      {
        kind: 'agent',
        environment: 'test',
        scopes: ['contacts:read'],
        allowed_ips: ['203.0.113.7', '2001:db8::/32'],
        rate_limit_per_minute: 600,
        bindings: [{ type: 'contacts', id: '42' }],
        created_by: ada.id,
        endsThatDay: true,
      },
    ]);
  });

  it('names the records that an agent can be bound to, and those that it is bound to', async () => {
    const machines = '/settings/machine-credentials';
    const [contact] = await gatehouse.database.query<{ id: string }>(
      `INSERT INTO contacts (tenant_id, environment, space_id, type, first_name, last_name)
       SELECT $1, 'live', id, 'other', 'Jane <b>', 'Doe' FROM spaces WHERE tenant_id = $1 LIMIT 1
       RETURNING id::text`,
      [acme.id],
    );
    const id = contact?.id ?? '';
    const fields = { ...NEW, kind: 'agent', bindingType: ['contacts', 'products'] };
    const query = '?tenant=acme&env=live';
    const form = await open(`${machines}/new${query}`);
    expect(form.text).toContain(`<option value="${id}">Jane &lt;b&gt; Doe</option>`);
    const refused = await postForm(me.browser, `${machines}/new${query}`, {
      csrf: me.csrf,
      ...fields,
      name: '',
      bindingId: [id, id],
    });
    const html = await refused.text();
    expect(html).toContain('<bdi dir="auto">Jane &lt;b&gt; Doe</bdi>');
    expect(html.match(/No record with a name has this id\./g)).toHaveLength(1);

    const made = await postForm(me.browser, `${machines}/new${query}`, {
      csrf: me.csrf,
      ...fields,
      bindingId: [id, ''],
    });
    const page = (made.headers.get('Location') ?? '').replace(/\/secret.*/, query);
    expect((await open(page)).text).toMatch(
      new RegExp(`<code>contacts ${id}</code> <bdi dir="auto">Jane &lt;b&gt; Doe</bdi>`),
    );
    const theirs = await createUser(gatehouse, [[bolt, 'company_admin']]);
    const other = await open(`${machines}/new?tenant=bolt&env=live`, await signedIn(theirs));
    expect(other.text).not.toContain('Jane');
  });

  it('is refused with a message beside each field, and nothing typed is lost', async () => {
    const answer = await send('/new', {
      ...NEW,
      name: ' ',
      allowedIps: 'nowhere <b>',
      rateLimit: 'many',
      expires: 'date',
      expiresOn: '',
      handle: HANDLE,
    });
    const html = await answer.text();
    expect(answer.status).toBe(422);
    for (const text of [
      'Give it a name of 1 to 100 characters.',
      '“nowhere” is not an address or a network',
      'Choose a day in the future.',
      'Give a whole number from 0 to 1,000,000',
      'nowhere &lt;b&gt;</textarea>',
      'value="many"',
      `value="${HANDLE}"`,
    ]) {
      expect(html).toContain(text);
    }
    expect(html).toMatch(/value="contacts:write"[^>]* checked/);
    const past = await send('/new', { ...NEW, expires: 'date', expiresOn: '2001-01-01' });
    expect([past.status, await past.text()]).toEqual([
      422,
      expect.stringContaining('Choose a day in the future.'),
    ]);
    expect(await keys()).toEqual([]);
  });

  it('gets the scopes of a preset without being made', async () => {
    const page = await (await send('/new', { ...NEW, preset: 'full' })).text();
    expect(page).toMatch(/value="documents:delete"[^>]* checked/);
    expect(page).not.toContain('offline_access');
    expect(page).toContain('and has 12 other scopes.');
    expect(page).toContain('value="Nightly export"');
    const publishable = await (
      await send('/new', { ...NEW, kind: 'publishable', preset: 'kind' })
    ).text();
    expect(publishable).toMatch(/value="contacts:read"[^>]* disabled/);
    // As text: a tooltip reaches neither keyboard nor touch.
    expect(publishable).toContain(
      '<li>Grey boxes: not for publishable keys: anybody can read them.',
    );
    expect(publishable).not.toContain(' title="');
    expect(page).not.toContain('Grey boxes');
    expect(await keys()).toEqual([]);
  });
});

describe('the list', () => {
  it('shows active keys first by kind, and filters by its address', async () => {
    await gatehouse.createKey(acme, {
      name: 'Web',
      kind: 'publishable',
      scopes: ['products:read'],
    });
    const secret = await gatehouse.createKey(acme, { name: 'Export', scopes: ['leads:read'] });
    const test = await gatehouse.createKey(acme, { name: 'Sandbox', environment: 'test' });
    await gatehouse.createKey(acme, { name: 'Robot', kind: 'service' });
    await gatehouse.createKey(bolt, { name: 'Theirs' });
    await gatehouse.database.query(
      `UPDATE credentials SET expires_at = gatehouse_now() WHERE name = 'Export'`,
    );
    const names = async (more: string) =>
      [...(await open(at('', more))).text.matchAll(/<td class="title">.*?<bdi[^>]*>([^<]+)/gs)].map(
        ([, name]) => name,
      );
    expect(await names('')).toEqual(['Web']);
    expect(await names('&status=all')).toEqual(['Web', 'Export']);
    expect(await names('&status=expired')).toEqual(['Export']);
    expect(await names('&status=all&kind=secret')).toEqual(['Export']);
    expect(await names('&status=all&scope=leads:read')).toEqual(['Export']);
    expect(await names('&status=all&search=exp')).toEqual(['Export']);
    expect(await names(`&status=all&search=${secret.secret.slice(-4)}`)).toEqual(['Export']);
    expect(await names(`&status=all&search=${secret.id}`)).toEqual(['Export']);
    expect(await names('&unused=90')).toEqual([]);
    expect(await names('&status=nonsense&kind=personal&cursor=1.x')).toEqual(['Web']);
    const inTest = await open(`${PAGE}?tenant=acme&env=test`);
    expect(inTest.text).toContain('Sandbox');
    expect(inTest.html).toContain('Test environment.');
    expect((await open(`${PAGE}/${test.id}?tenant=acme&env=live`)).url).toContain('env=test');
  });

  it('goes through all keys by pages, each of them once', async () => {
    await gatehouse.database.query(
      `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind,
         principal_id, digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
       SELECT 'key_' || n, $1, 'secret', 'live', 'Key ' || n, '{leads:read}', 'tenant', $1,
         'digest ' || n, 'none', 'x', ARRAY['key_' || n, $1], nextval('issue_order'), 'operator'
       FROM generate_series(1, 60) AS n`,
      [acme.id],
    );
    const seen: string[] = [];
    let path: string | undefined = at('');
    while (path !== undefined) {
      const page: { text: string } = await open(path);
      seen.push(...[...page.text.matchAll(/>(Key \d+)</g)].map(([, name]) => name ?? ''));
      path = /href="([^"]+)" rel="next"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&');
      if (seen.length <= 25) expect(page.text).toContain('25 of 60 keys');
    }
    expect(seen).toHaveLength(60);
    expect(new Set(seen).size).toBe(60);
  });

  it('shows hostile names as text', async () => {
    const name = `</title></bdi>'"><script>alert(1)</script><img src=x onerror=alert(1)>`;
    const { id } = await gatehouse.createKey(acme, { name });
    for (const path of [at(''), at(`/${id}`), at('', `&search=${encodeURIComponent(name)}`)]) {
      const { html } = await open(path);
      expect(html).toContain('&lt;script&gt;alert(1)');
      expect(html).not.toMatch(/<script>|<img/);
    }
  });
});

describe('the page of a key', () => {
  const make = async (fields = {}) => gatehouse.createKey(acme, { name: 'Export', ...fields });

  it('changes it, unless somebody else did meanwhile', async () => {
    const { id } = await make();
    const seen = /name="seen" value="([^"]+)"/.exec((await open(at(`/${id}`))).text)?.[1] ?? '';
    const edit = {
      seen,
      name: 'Renamed',
      allowedIps: '192.0.2.1',
      expires: 'never',
      rateLimit: '',
    };
    expect((await send(`/${id}`, { ...edit, allowedIps: 'x' })).status).toBe(422);
    expect((await send(`/${id}`, edit)).status).toBe(303);
    const late = await send(`/${id}`, { ...edit, name: 'Later' });
    expect(late.status).toBe(409);
    expect(await late.text()).toContain('Somebody else has changed this key meanwhile.');
    expect(await keys()).toMatchObject([{ name: 'Renamed' }]);
    expect((await open(at(`/${id}`))).text).toContain('Renamed');
  });

  it('rotates it with an overlap, once, and ends the old key early', async () => {
    const old = await make();
    const rotation = { overlap: '86400', handle: HANDLE };
    const [one, two] = await Promise.all([
      send(`/${old.id}/rotate`, rotation),
      send(`/${old.id}/rotate`, rotation),
    ]);
    expect([one.status, two.status]).toEqual([303, 303]);
    const secret = secretOf(await open(one.headers.get('Location') ?? ''));
    expect([await statusOf(secret), await statusOf(old.secret)]).toEqual([200, 200]);
    expect(await keys()).toHaveLength(2);
    const page = await open(at(`/${old.id}`));
    expect(page.text).toContain('End now');
    expect(page.text).toContain('Replaced by');
    const [, next] = await keys();
    const trail = (await open(at(`/${next?.id}`))).text;
    expect(trail).toContain(`It was made by rotating <a href="${PAGE}/${old.id}`);
    expect(trail).not.toContain('No entry in the time');
    expect((await send(`/${old.id}/rotate`, { ...rotation, handle: 'B'.repeat(22) })).status).toBe(
      409,
    );
    expect((await send(`/${old.id}/end`)).status).toBe(303);
    expect([await statusOf(secret), await statusOf(old.secret)]).toEqual([200, 401]);
  });

  it('revokes it, with its name if it was used lately', async () => {
    const idle = await make();
    await gatehouse.database.query(
      `INSERT INTO credential_uses (credential_id, used_at, address)
       VALUES ($1, now() - interval '8 days', '192.0.2.9')`,
      [idle.id],
    );
    expect((await open(at(`/${idle.id}`))).text).toMatch(
      /It was not used in the last 7 days\. Last used <time [^>]+>[^<]+<\/time>\s+from 192\.0\.2\.9\. Made by/,
    );
    expect((await send(`/${idle.id}/revoke`)).status).toBe(303);
    expect(await statusOf(idle.secret)).toBe(401);
    const used = await make();
    expect(await statusOf(used.secret)).toBe(200);
    expect((await open(at(`/${used.id}`))).text).toContain('used in the last 7 days');
    expect((await send(`/${used.id}/revoke`)).status).toBe(409);
    expect((await send(`/${used.id}/revoke`, { confirm: 'export' })).status).toBe(409);
    expect(await statusOf(used.secret)).toBe(200);
    expect((await send(`/${used.id}/revoke`, { confirm: 'Export' })).status).toBe(303);
    expect(await statusOf(used.secret)).toBe(401);
    const over = await open(at(`/${used.id}`));
    expect(over.text).toContain('Revoked');
    expect(over.text).not.toMatch(/<form[^>]*revoke/);
  });

  it('is not found for a key of another tenant, section or kind', async () => {
    const theirs = await gatehouse.createKey(bolt);
    const robot = await make({ kind: 'service' });
    // A link of the audit log does not know the section.
    const led = await open(at(`/${robot.id}`));
    expect([led.status, new URL(led.url).pathname]).toEqual([
      200,
      `/settings/machine-credentials/${robot.id}`,
    ]);
    for (const id of [theirs.id, robot.id, 'key_1', '%00']) {
      if (id !== robot.id) expect((await open(at(`/${id}`))).status).toBe(404);
      expect((await send(`/${id}/revoke`, { confirm: 'Export' })).status).toBe(404);
    }
    expect(await statusOf(theirs.secret)).toBe(200);
  });
});

describe('a form', () => {
  it('does nothing without its token, from other origins, or in a suspended tenant', async () => {
    const key = await gatehouse.createKey(acme, { name: 'Export' });
    const attempts: [string, Fields][] = [
      ['/new', NEW],
      [`/${key.id}`, { name: 'Other' }],
      [`/${key.id}/rotate`, { overlap: '0' }],
      [`/${key.id}/end`, {}],
      [`/${key.id}/revoke`, { confirm: 'Export' }],
    ];
    const tenants = createTenantStore(gatehouse.dataSource.manager);
    for (const [path, fields] of attempts) {
      expect((await send(path, { ...fields, csrf: '' })).status).toBe(403);
      const evil = { Origin: 'https://evil.example' };
      const sent = { csrf: me.csrf, ...fields };
      expect((await postForm(me.browser, at(path), sent, evil)).status).toBe(403);
      await tenants.setSuspended(acme.id, true);
      expect((await send(path, fields)).status).toBe(403);
      await tenants.setSuspended(acme.id, false);
    }
    expect(await keys()).toMatchObject([{ name: 'Export' }]);
    expect(await statusOf(key.secret)).toBe(200);
  });
});
