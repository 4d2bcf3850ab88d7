import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { createTestApp, type TestApp } from '../app/app.js';
import { csrfOf, newBrowser, postForm, signIn } from './console.js';
import { createUser, mainOf, type Browser, type TestUser } from '../oauth/oauth.js';

export const PAGE = '/settings/tokens';
/** Valid content of the form for a new token. */
export const NEW = { name: 'Laptop', access: 'read', expires: '90' };

interface StoredToken {
  readonly id: string;
  readonly tenant_id: string;
  readonly scopes: readonly string[];
  readonly spaces: readonly string[] | null;
  /** How long it lives. */
  readonly days: number | null;
}

/** A browser in which somebody has signed in, and the token for its forms. */
interface SignedInBrowser {
  readonly browser: Browser;
  readonly csrf: string;
}

/** Two tenants, a member of one and a member of both, and the page of personal access tokens. */
export interface TokenPage {
  readonly gatehouse: TestApp;
  readonly acme: Tenant;
  readonly bolt: Tenant;
  readonly ada: TestUser;
  readonly both: TestUser;
  /** @param user Ada, unless somebody else */
  signedIn(user?: TestUser): Promise<SignedInBrowser>;
  /** Submits the form for a new token. */
  create(
    by: SignedInBrowser,
    fields?: Readonly<Record<string, string | readonly string[]>>,
    tenant?: string,
  ): Promise<{
    readonly status: number;
    readonly headers: Headers;
    readonly html: string;
    readonly text: string;
    /** The new token; empty if there is none. */
    readonly secret: string;
    /** The page that shows it once; empty if there is none. */
    readonly shownAt: string;
  }>;
  /** All tokens there are, in the order in which they were made. */
  stored(): Promise<readonly StoredToken[]>;
  /** Status of the API's answer to a token. */
  statusOf(secret: string): Promise<number>;
}

export async function createTokenPage(): Promise<TokenPage> {
  const gatehouse = await createTestApp();
  const acme = await gatehouse.createTenant('acme');
  const bolt = await gatehouse.createTenant('bolt');
  const ada = await createUser(gatehouse, [[acme, 'company_admin']]);
  const both = await createUser(gatehouse, [
    [acme, 'viewer'],
    [bolt, 'manager'],
  ]);
  return {
    gatehouse,
    acme,
    bolt,
    ada,
    both,
    async signedIn(user = ada) {
      const browser = newBrowser(gatehouse);
      return {
        browser,
        csrf: csrfOf(await signIn(browser, user)),
      };
    },
    async create({ browser, csrf }, fields = {}, tenant = 'acme') {
      const sent = {
        csrf,
        ...NEW,
        ...fields,
      };
      const answer = await postForm(browser, `${PAGE}/new?tenant=${tenant}`, sent);
      const made = answer.headers.get('Location');
      const page =
        made === null
          ? { ...answerOf(answer), html: await answer.text() }
          : await browser.open(made);
      const { status, headers, html } = page;
      const secret = /id="secret"[^>]*>([^<]+)</.exec(html)?.[1] ?? '';
      return { status, headers, html, text: mainOf(page), secret, shownAt: made ?? '' };
    },
    stored: () =>
      gatehouse.database.query<StoredToken>(`SELECT id, tenant_id, scopes, spaces,
           round(extract(epoch FROM expires_at - created_at) / 86400)::int AS days
         FROM credentials ORDER BY issue_seq`),
    async statusOf(secret) {
      const headers = { Authorization: `Bearer ${secret}` };
      return (await gatehouse.http.get('/api/v1/me').set(headers)).status;
    },
  };
}

function answerOf({ status, headers }: Response) {
  return { status, headers };
}
