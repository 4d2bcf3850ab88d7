import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import type { JWTPayload } from 'jose';

import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { createTestApp, type TestApp } from '../app/app.js';
import { freshAddress } from '../app/clients.js';
import { csrfOf } from '../browser/console.js';
import { visit, type Visit } from '../browser/people.js';
import { createBrowser, type Browser, type BrowserStop } from './oauth.js';
import {
  createFakeProvider,
  entryOf,
  type FakeProvider,
  writeProviders,
} from './sign-in-provider.js';

/** A server with two providers: `acme`, which makes members of the organization `acme`, and `other`. */
export interface ProviderWorld {
  readonly acme: FakeProvider;
  readonly other: FakeProvider;
  readonly gatehouse: TestApp;
  readonly tenant: Tenant;
  /** A browser that has never been here, at an address of its own. */
  readonly newVisitor: (address?: string) => Browser;
  /** Another browser with the same cookies. */
  readonly copyOf: (browser: Browser) => Browser;
  /** The claims of a user of whom the server knows nothing. */
  readonly stranger: (claims?: JWTPayload) => JWTPayload & { readonly email: string };
  /** Presses the button of a provider. Ends at the provider. */
  readonly leaveFor: (browser: Browser, id?: string, page?: string) => Promise<BrowserStop>;
  /** Signs in by the button of a provider, and follows where that leads. */
  readonly signInWith: (
    browser: Browser,
    claims: JWTPayload,
    provider?: FakeProvider,
  ) => Promise<BrowserStop>;
  /** A browser that signed in at a provider, and sends forms with the token of its pages. */
  readonly visitWith: (claims: JWTPayload, provider?: FakeProvider) => Promise<Visit>;
  /** The role in the organization `acme`. */
  readonly roleOf: (email: string) => Promise<string | undefined>;
}

/** The error that a page shows. */
export const problemOf = ({ html }: BrowserStop) =>
  /<p class="notice error"[^>]*>([^<]+)/.exec(html)?.[1];

/** The address at a provider to which a settings page leads. */
export const providerUrlOf = ({ html }: Pick<BrowserStop, 'html'>) =>
  (/<a class="button primary" href="([^"]+)" rel="noreferrer">/.exec(html)?.[1] ?? '').replaceAll(
    '&amp;',
    '&',
  );

/** The cookie of a sign-in that was begun. */
export const ATTEMPT = 'gatehouse_provider';

/** The world of a test file. Its providers answer as at the beginning in each test. */
export function useProviders(): ProviderWorld {
  let current: Pick<ProviderWorld, 'acme' | 'other' | 'gatehouse' | 'tenant'>;
  beforeAll(async () => {
    current = await create();
  });
  afterAll(async () => {
    await current.gatehouse.close();
    await Promise.all([current.acme.close(), current.other.close()]);
  });
  beforeEach(async () => {
    current.acme.reset();
    current.other.reset();
    await current.gatehouse.database.query('DELETE FROM attempts');
  });
  let people = 0;
  const actions: Omit<ProviderWorld, 'acme' | 'other' | 'gatehouse' | 'tenant'> = {
    newVisitor(address = freshAddress()) {
      const { origin, config } = current.gatehouse;
      return createBrowser({ origin, issuer: config.ISSUER, address });
    },
    copyOf(browser) {
      const copy = actions.newVisitor();
      for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
      return copy;
    },
    stranger(claims = {}) {
      people += 1;
      return {
        sub: `subject-${people}`,
        email: `person-${people}@acme.test`,
        email_verified: true,
        name: 'Pat Person',
        access: { groups: ['staff'] },
        ...claims,
      };
    },
    leaveFor: async (browser, id = 'acme', page = '/login') =>
      browser.submit(await browser.open(page), { provider: id }),
    async signInWith(browser, claims, provider = current.acme) {
      const id = provider === current.acme ? 'acme' : 'other';
      const { url } = await actions.leaveFor(browser, id);
      return browser.open(provider.authorize(url, claims).callback);
    },
    async visitWith(claims, provider) {
      const browser = actions.newVisitor();
      return visit(browser, csrfOf(await actions.signInWith(browser, claims, provider)));
    },
    async roleOf(email) {
      const [row] = await current.gatehouse.database.query<{ role: string }>(
        `SELECT m.role FROM memberships m JOIN accounts a ON a.id = m.account_id
         WHERE a.email = $1 AND m.tenant_id = $2`,
        [email, current.tenant.id],
      );
      return row?.role;
    },
  };
  return new Proxy(actions as ProviderWorld, {
    get: (_target, member) => Reflect.get({ ...current, ...actions }, member) as unknown,
  });
}

async function create() {
  const [acme, other] = await Promise.all([createFakeProvider(), createFakeProvider()]);
  const file = writeProviders({
    providers: [
      {
        ...entryOf(acme, 'acme', 'Acme SSO'),
        domains: ['acme.test'],
        trustedForDomains: ['acme.test'],
        tenant: 'acme',
        roleClaim: ['access', 'groups'],
        roles: [
          { value: 'bosses', role: 'company_admin' },
          { value: 'staff', role: 'member' },
        ],
      },
      entryOf(other, 'other', 'Other'),
    ],
  });
  const gatehouse = await createTestApp({
    SIGN_IN_PROVIDERS: file,
    OUTBOUND_ALLOW_LOOPBACK: 'true',
    TRUST_PROXY: '127.0.0.1',
  });
  return { acme, other, gatehouse, tenant: await gatehouse.createTenant('acme') };
}
