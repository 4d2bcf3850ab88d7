import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { csrfOf, csrfOfForm, newBrowser, postForm, signIn } from '../support/browser/console.js';
import { beginAuthorization } from '../support/browser/pages.js';
import {
  createUser,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** Routes of pages; the others are for programs. */
const IS_PAGE =
  /^\/(?:settings|login|logout|consent|device|forgot-password|reset-password|invitation|confirm-email|docs)\b|end-session\/confirm$/;
const PAYLOAD = `x'"><script>alert(1)</script>`;
const ELSEWHERE = 'https://evil.example';

const gatehouse = useGatehouse();
let ann: TestUser;
let client: TestClient;
let keyId: string;
let admin: Browser;
let csrf: string;
/** The token of another browser. */
let foreign: string;
let pages: readonly string[];
let forms: readonly string[];
beforeAll(async () => {
  const tenant = await gatehouse.createTenant('acme');
  ann = await createUser(gatehouse, [[tenant, 'company_admin']]);
  client = await registerClient(gatehouse);
  keyId = (await gatehouse.createKey(tenant, { name: 'Export' })).id;
});
// A session of its own for each test: requests of a session are limited.
beforeEach(async () => {
  await gatehouse.database.query('DELETE FROM attempts');
  const anonymous = newBrowser(gatehouse);
  const login = await beginAuthorization(gatehouse, anonymous, client);
  foreign = csrfOfForm(login);
  admin = newBrowser(gatehouse);
  csrf = csrfOf(await signIn(admin, ann));
  const consent = await beginAuthorization(gatehouse, admin, client);
  const known = new Map([
    ['/login/:uid', new URL(login.url).pathname],
    ['/consent/:uid', new URL(consent.url).pathname],
  ]);
  const pathsOf = (wanted: string) =>
    gatehouse.app.otherRoutes
      .filter(({ method, path }) => method === wanted && IS_PAGE.test(path))
      .map(({ path }) => known.get(path) ?? path.replace(/:\w+/, keyId));
  pages = pathsOf('GET');
  forms = pathsOf('POST');
});

/** The forgeries of a form: what is sent beside its fields. */
const FORGERIES: Readonly<
  Record<string, () => { fields?: Record<string, string | string[]>; headers?: object }>
> = {
  'without a token': () => ({}),
  'with the token of another browser': () => ({ fields: { csrf: foreign } }),
  'with the token twice': () => ({ fields: { csrf: [csrf, csrf] } }),
  'with the token from another origin': () => ({
    fields: { csrf },
    headers: { Origin: ELSEWHERE },
  }),
  'with the token from a sandboxed frame': () => ({
    fields: { csrf },
    headers: { Origin: 'null' },
  }),
  'with the token from another site': () => ({
    fields: { csrf },
    headers: { 'Sec-Fetch-Site': 'cross-site' },
  }),
  'with the token from another host of the site': () => ({
    fields: { csrf },
    headers: { 'Sec-Fetch-Site': 'same-site' },
  }),
};

const inAcme = (path: string, query = '') => `${path}?tenant=acme${query}`;

/** Everything that a form could change, in one line. */
async function stateOf(): Promise<string> {
  const [row] = await gatehouse.database.query<{ state: string }>(
    `SELECT concat_ws(' ', (SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM credentials c),
       (SELECT count(*) FROM revocations), (SELECT count(*) FROM spaces), (SELECT name FROM tenants),
       (SELECT count(*) FROM memberships), (SELECT count(*) FROM invitations),
       (SELECT count(*) FROM sessions), (SELECT count(*) FROM grants),
       (SELECT md5(string_agg(a.email || a.name || a.password_hash, '' ORDER BY id)) FROM accounts a)) AS state`,
  );
  return row?.state ?? '';
}

describe('every form', () => {
  it.each(Object.keys(FORGERIES))('is refused %s, and changes nothing', async (name) => {
    const before = await stateOf();
    const { fields = {}, headers = {} } = FORGERIES[name]?.() ?? {};
    const wanted = {
      name: 'Theirs',
      email: 'them@example.com',
      kind: 'secret',
      decision: 'approve',
    };
    const admitted: string[] = [];
    for (const path of forms) {
      const sent = { ...wanted, ...fields };
      const answer = await postForm(admin, inAcme(path), sent, { ...headers });
      await answer.arrayBuffer();
      if (answer.status !== 403) admitted.push(`${path} ${answer.status}`);
    }
    expect(admitted).toEqual([]);
    expect(await stateOf()).toBe(before);
  });

  it('is not taken from the address, and its token does not count there', async () => {
    for (const path of ['/settings/spaces/new', '/settings/general', '/logout']) {
      const query = `&csrf=${encodeURIComponent(csrf)}&name=Theirs`;
      expect((await postForm(admin, inAcme(path, query), {})).status).toBe(403);
    }
    expect((await postForm(admin, inAcme('/settings/spaces/new'), { csrf })).status).toBe(422);
  });
});

describe('every page', () => {
  it('cannot be framed, and runs scripts of this origin alone', async () => {
    let framed = 0;
    for (const path of pages) {
      const answer = await admin.request(inAcme(path));
      await answer.arrayBuffer();
      const policy = answer.headers.get('Content-Security-Policy') ?? '';
      const scripts = /script-src [^;]*/.exec(policy)?.[0] ?? `script-src 'none'`;
      // Redirects and downloads have no content that could be framed.
      const isHtml = answer.headers.get('Content-Type')?.startsWith('text/html') === true;
      if (answer.status === 303 || !isHtml) continue;
      framed += 1;
      expect({
        path,
        frame: answer.headers.get('X-Frame-Options'),
        type: answer.headers.get('X-Content-Type-Options'),
        isFramed: !policy.includes(`frame-ancestors 'none'`),
        isInline: /unsafe|data:|\*/.test(scripts),
      }).toEqual({ path, frame: 'DENY', type: 'nosniff', isFramed: false, isInline: false });
    }
    expect(framed).toBeGreaterThan(30);
  });

  it('shows what an address holds as text only', async () => {
    const names = new Set(['tenant', 'env', 'return_to', 'user_code', 'token', 'error', 'client']);
    for (const path of pages) {
      const { html } = await admin.open(inAcme(path));
      for (const [, name = ''] of html.matchAll(/\sname="([\w-]+)"/g)) names.add(name);
      for (const [, name = ''] of html.matchAll(/[?&;]([\w-]+)=/g)) names.add(name);
    }
    expect(names.size).toBeGreaterThan(30);
    const hostile = new URLSearchParams([...names].map((name) => [name, PAYLOAD]));
    const inOrganization = new URLSearchParams(hostile);
    inOrganization.set('tenant', 'acme');
    const reflected: string[] = [];
    for (const path of pages) {
      const hostilePath = path.replace(/key_\w+/, encodeURIComponent(PAYLOAD));
      for (const query of [hostile, inOrganization]) {
        const { html } = await admin.open(`${hostilePath}?${query.toString()}`);
        if (/<script>alert|x'"/.test(html)) reflected.push(hostilePath);
      }
    }
    const missing = await admin.open(`/${encodeURIComponent(PAYLOAD)}`);
    expect(missing.status).toBe(404);
    expect(missing.html).not.toMatch(/<script>alert|x'"/);
    expect(reflected).toEqual([]);
  });
});
