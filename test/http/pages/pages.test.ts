import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';
import Koa from 'koa';
import request from 'supertest';

import type { ConsoleViews } from '../../../src/console/page-data.js';
import { createAssets } from '../../../src/http/pages/assets.js';
import type { SignedInFrame } from '../../../src/http/pages/frame.js';
import { createPages } from '../../../src/http/pages/pages.js';
import { consentGroups, summarizeScopes } from '../../../src/oauth/authorize/consent-scopes.js';
import { describeRedirect } from '../../../src/http/redirect-target.js';
import type {
  ChooseTenantPage,
  ConsentPage,
  ErrorPage,
  LoginPage,
  OAuthViews,
} from '../../../src/oauth/authorize/views.js';
import { SCOPES } from '../../../src/scopes/catalog.js';
import { inCatalogOrder } from '../../../src/scopes/scope-set.js';

const VIEWS = new URL('../../../views/', import.meta.url);
const BRAND = 'Brand & <Co>';
const HOSTILE = `</title></style></bdi>'"><script>alert(1)</script>&amp;<img src=x onerror=alert(1)>`;
const ESCAPED =
  '&lt;/title&gt;&lt;/style&gt;&lt;/bdi&gt;&#39;&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&lt;img src=x onerror=alert(1)&gt;';

const brand = { name: BRAND, helpUrl: `https://example.com/?"><script>alert(1)</script>` };
const pages = createPages<OAuthViews & ConsoleViews>({
  brand,
  assets: createAssets(brand),
  issuer: 'https://auth.example.com:8443',
});
/** The only script of a page. Its file is ours. */
const OUR_SCRIPT = /<script type="module" src="\/assets\/\w+\/console\.js"><\/script>/;

/** Gets the page as a browser would. */
function get(send: (ctx: Koa.Context) => void) {
  const app = new Koa();
  app.silent = true;
  app.use(send);
  return request(app.callback()).get('/');
}

const SOURCES =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'";

const form = { action: HOSTILE, csrf: HOSTILE, hidden: [{ name: HOSTILE, value: HOSTILE }] };
const shown = { name: HOSTILE, isVerified: false };
const login: LoginPage = {
  ...form,
  email: HOSTILE,
  error: HOSTILE,
  client: shown,
  hasPasswords: true,
  providers: [{ id: HOSTILE, name: HOSTILE }],
};
const chooseTenant: ChooseTenantPage = {
  ...form,
  client: shown,
  accountEmail: HOSTILE,
  tenants: [{ id: HOSTILE, name: HOSTILE, role: HOSTILE }],
};
const consent: ConsentPage = {
  ...form,
  client: {
    name: HOSTILE,
    shortName: HOSTILE,
    clientUri: HOSTILE,
    isVerified: false,
    redirectKind: 'app',
    redirectHost: HOSTILE,
  },
  account: { name: HOSTILE, email: HOSTILE },
  tenantName: HOSTILE,
  resourceNames: [HOSTILE],
  canChooseAnother: true,
  summary: HOSTILE,
  groups: [
    {
      title: HOSTILE,
      scopes: [{ name: HOSTILE, sentence: HOSTILE, isGrave: true }],
    },
  ],
  disclosed: [HOSTILE],
};
const error: ErrorPage = {
  links: [],
  heading: HOSTILE,
  message: HOSTILE,
  code: HOSTILE,
  requestId: HOSTILE,
  scopes: [HOSTILE],
};

const moment = { iso: HOSTILE, text: HOSTILE };
const option = { value: HOSTILE, text: HOSTILE, isSelected: true };
const target = { text: HOSTILE, href: HOSTILE };
const keys: ConsoleViews['keys'] = {
  header: { title: HOSTILE, lead: HOSTILE, primary: target },
  notice: HOSTILE,
  filters: {
    action: HOSTILE,
    hidden: [{ name: HOSTILE, value: HOSTILE }],
    search: HOSTILE,
    selects: [{ name: HOSTILE, label: HOSTILE, options: [option] }],
    isUnused: true,
    clear: HOSTILE,
  },
  parts: [
    {
      kind: 'secret',
      title: HOSTILE,
      lead: HOSTILE,
      isReadable: false,
      count: HOSTILE,
      first: HOSTILE,
      next: HOSTILE,
      rows: [
        {
          id: HOSTILE,
          name: HOSTILE,
          href: HOSTILE,
          isFresh: true,
          isOver: true,
          maskedKey: HOSTILE,
          key: undefined,
          scopes: { text: HOSTILE, all: [HOSTILE] },
          spaces: [HOSTILE],
          created: moment,
          creator: HOSTILE,
          used: moment,
          usedFrom: HOSTILE,
          isIdle: true,
          expires: moment,
          isExpiring: true,
          badge: { text: HOSTILE, tone: 'good' },
          environment: 'test',
          menu: [target],
        },
      ],
    },
  ],
  isOwn: false,
  empty: { title: HOSTILE, text: HOSTILE, primary: target, links: [target] },
  isForMachines: true,
  origins: [HOSTILE],
};
const secret = { name: HOSTILE, secret: HOSTILE, maskedKey: HOSTILE, variable: HOSTILE };
const keySecret: ConsoleViews['key-secret'] = {
  ...secret,
  noun: 'token',
  curl: HOSTILE,
  isReadable: false,
  back: HOSTILE,
  key: HOSTILE,
};
const link = { title: HOSTILE, href: HOSTILE, isCurrent: true };
const organization = { name: HOSTILE, role: HOSTILE, isSuspended: true };
const signedIn: SignedInFrame = {
  isRestored: true,
  search: undefined,
  email: HOSTILE,
  signOut: HOSTILE,
  csrf: HOSTILE,
  groups: [{ title: HOSTILE, pages: [link] }],
  organization,
  organizations: Array.from({ length: 8 }, () => ({
    ...organization,
    href: HOSTILE,
    isCurrent: true,
  })),
  environments: [link],
  strip: 'Test environment.',
};

describe('a page', () => {
  // How often the text occurs, the title included: a place that left it out would go unnoticed.
  it.each([
    ['login', 10, (ctx: Koa.Context) => pages.send(ctx, 'login', { title: HOSTILE, ...login })],
    [
      'choose-tenant',
      10,
      (ctx: Koa.Context) => pages.send(ctx, 'choose-tenant', { title: HOSTILE, ...chooseTenant }),
    ],
    [
      'consent',
      20,
      (ctx: Koa.Context) => pages.send(ctx, 'consent', { title: HOSTILE, ...consent }),
    ],
    ['error', 6, (ctx: Koa.Context) => pages.send(ctx, 'error', { title: HOSTILE, ...error })],
    ['keys', 50, (ctx: Koa.Context) => pages.send(ctx, 'keys', { title: HOSTILE, ...keys })],
    [
      'key-secret',
      7,
      (ctx: Koa.Context) => pages.send(ctx, 'key-secret', { title: HOSTILE, ...keySecret }),
    ],
    [
      'any, for somebody who has signed in',
      41,
      (ctx: Koa.Context) => pages.send(ctx, 'error', { title: HOSTILE, ...error }, { signedIn }),
    ],
  ])('shows whatever it is given as text: %s', async (_view, times, send) => {
    const { text } = await get(send);

    expect(text.replace(OUR_SCRIPT, '')).not.toMatch(/<script|<img/);
    expect(text.split(ESCAPED)).toHaveLength(times + 1);
    expect(text).toContain('<span>Brand &amp; &lt;Co&gt;</span>');
    expect(text).toContain('<p>auth.example.com:8443</p>');
    expect(text).toContain(
      'href="https://example.com/?&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"',
    );
  });

  it('inserts nothing unescaped but the page into the layout', () => {
    const raw = readdirSync(VIEWS)
      .filter((file) => file.endsWith('.eta'))
      .flatMap((file) => {
        const template = readFileSync(new URL(file, VIEWS), 'utf8');
        return (template.match(/<%[-_]?\s*~[^%]*%>/g) ?? []).map((tag) => `${file} ${tag}`);
      });
    // An included template escapes like the others.
    const isPart = (tag: string) => /^[\w-]+\.eta <%~ include\('@[\w-]+', .+\) %>$/.test(tag);
    expect(raw.filter((tag) => !isPart(tag))).toEqual([
      'layout-settings.eta <%~ it.body %>',
      'layout.eta <%~ it.body %>',
    ]);
  });

  it('cannot replace the stylesheet, the brand or the page by its data', async () => {
    const assets = { style: '/evil', script: '/evil', icon: '/evil', logo: '/evil' };
    const data = { assets, brandName: 'Other', host: 'other', body: HOSTILE };
    const page = { title: 'T', ...consent, ...data };
    const { text } = await get((ctx) => pages.send(ctx, 'consent', page));

    expect(text).toContain('<strong>Brand &amp; &lt;Co&gt; has not verified');
    expect(text.replace(OUR_SCRIPT, '')).not.toMatch(/<script|Other\b|>other|evil/);
  });

  it('forbids storing, framing and scripts, and sends no referrer', async () => {
    const answer = await get((ctx) => pages.send(ctx, 'error', { title: 'T', ...error }));
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'x-frame-options': 'DENY',
      'content-security-policy': `${SOURCES}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    });
    // Popups of clients must be able to tell their opener that they are done.
    expect(answer.headers).not.toHaveProperty('cross-origin-opener-policy');
    expect(answer.text.replace(OUR_SCRIPT, '')).not.toMatch(
      /<script|<style|(?:src|href)="(?!\/assets\/|https:\/\/example\.com\/)|\sstyle=|\son\w+="/,
    );
  });

  it('says its status', async () => {
    const send = (ctx: Koa.Context) =>
      pages.send(ctx, 'error', { title: 'T', ...error }, { status: 400 });
    expect((await get(send)).status).toBe(400);
  });

  it.each(['login', 'consent', 'choose-tenant'] as const)(
    'names no form-action where its form ends at a client: %s',
    async (view) => {
      const data = { ...login, ...chooseTenant, ...consent };
      const answer = await get((ctx) =>
        pages.send(ctx, view, { title: 'T', ...data }, { endsAtClient: true }),
      );
      const policy = answer.headers['content-security-policy'] ?? '';
      expect(policy).toBe(`${SOURCES}; base-uri 'none'; frame-ancestors 'none'`);
    },
  );
});

describe('the consent page', () => {
  const show = async (changes: Partial<ConsentPage> = {}) => {
    const page = { title: 'T', ...consent, groups: consentGroups(SCOPES), ...changes };
    return (await get((ctx) => pages.send(ctx, 'consent', page))).text;
  };

  it('starts with every scope ticked, each with its sentence', async () => {
    const text = await show();
    for (const scope of SCOPES) {
      expect(text).toContain(`<input type="checkbox" name="scope" value="${scope}" checked>`);
    }
    expect(text).toContain('Stay connected while you are away, until you revoke the access.');
    expect(text.match(/<fieldset class="group">/g)).toHaveLength(consentGroups(SCOPES).length);
  });

  it('warns of unverified apps and of redirects that cannot be authenticated', async () => {
    const verified = { ...consent.client, isVerified: true };
    const at = (uri: string) => show({ client: { ...verified, ...describeRedirect(uri) } });

    expect(await show()).toContain('has not verified who runs this app');
    expect(await at('https://app.example/cb')).not.toContain('class="notice');
    expect(await at('http://127.0.0.1:1/cb')).toContain('a program on this device (127.0.0.1)');
    expect(await at('cursor://x/cb')).toContain('<bdi>cursor://</bdi> links');
  });
});

describe('the summary of many scopes', () => {
  it('counts what can be done with records, and names the rest', () => {
    const reading = SCOPES.filter((scope) => scope.endsWith(':read') && scope !== 'audit:read');
    expect(summarizeScopes(SCOPES)).toBe(
      `Read 10 kinds of records, change 10, delete 10 and use ${SCOPES.length - 30} other permissions.`,
    );
    expect(summarizeScopes(reading.slice(0, 7))).toBe('Read 7 kinds of records.');
    expect(
      summarizeScopes(inCatalogOrder([...reading.slice(0, 7), 'contacts:delete', 'bids:send'])),
    ).toBe('Read 7 kinds of records, delete 1 and use 1 other permission.');
    expect(summarizeScopes(reading.slice(0, 6))).toBeUndefined();
  });
});

describe('describeRedirect', () => {
  it.each([
    ['https://app.example:8443/cb', 'web', 'app.example:8443'],
    ['http://localhost:1/cb', 'device', 'this device (localhost)'],
    ['http://[::1]:1/cb', 'device', 'this device ([::1])'],
    ['https://127.0.0.1.example/cb', 'web', '127.0.0.1.example'],
    ['com.example.app:/cb', 'app', 'com.example.app://'],
  ])('of %s', (uri, redirectKind, redirectHost) => {
    expect(describeRedirect(uri)).toEqual({ redirectKind, redirectHost });
  });
});

describe('the scripts', () => {
  it('are less than 18.5 KB in all', () => {
    const folder = new URL('scripts/', VIEWS);
    const sizes = readdirSync(folder)
      .filter((name) => name.endsWith('.js'))
      .map((name) => readFileSync(new URL(name, folder)).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(18_500);
  });
});
