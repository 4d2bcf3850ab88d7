import type { TestApp } from '../support/app/app.js';
import { csrfOf, csrfOfForm, newBrowser, postForm, signIn } from '../support/browser/console.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  PASSWORD,
  registerClient,
  type TestUser,
} from '../support/oauth/oauth.js';

/** Rows that were added, by table. */
type Growth = Readonly<Record<string, number>>;

/** Each row of the tables in the threat model: repeats the request, and says the most that may be left. */
export interface Exercise {
  readonly repeat: () => Promise<unknown>;
  readonly atMost: Growth;
}

/** Settings of a server that keeps its mail: nothing listens there. */
export const MAIL = { SMTP_URL: 'smtp://127.0.0.1:1' } as const;

/** Requests that one exercise sends: more than any bound of the rows that it may leave. */
export const MANY = 15;

export const times = async (count: number, run: (index: number) => Promise<unknown>) => {
  for (let index = 0; index < count; index += 1) await run(index);
};

/** The rows about accounts. @param world what `beforeAll` made */
export function accountExercises(
  world: () => { readonly gatehouse: TestApp; readonly user: TestUser },
): Readonly<Record<string, Exercise>> {
  return {
    '`POST /forgot-password`': {
      async repeat() {
        const { gatehouse } = world();
        const browser = newBrowser(gatehouse);
        const csrf = csrfOfForm(await browser.open('/forgot-password'));
        await times(30, (index) => {
          const email = `stranger-${index % 10}@example.com`;
          return postForm(browser, '/forgot-password', { csrf, email });
        });
      },
      // A counter for each address that was asked for, and one for the visitor's.
      atMost: { outgoing_mail: 20, attempts: 11 },
    },
    'the consent page of a client with a logo': {
      async repeat() {
        const { gatehouse, user } = world();
        await gatehouse.database.query('DELETE FROM attempts');
        // Nothing listens there.
        const logo_uri = 'http://127.0.0.1:1/logo.png';
        const { client_id } = await registerClient(gatehouse, { logo_uri });
        const { challenge: code_challenge } = createPkce();
        const browser = newBrowser(gatehouse);
        const url = authorizeUrl(gatehouse.config.ISSUER, { client_id, code_challenge });
        const login = await browser.open(url);
        const consent = await browser.submit(login, { email: user.email, password: PASSWORD });
        await times(MANY, () => browser.open(consent.url));
      },
      atMost: {
        attempts: 8,
        audit_log: 2,
        clients: 1,
        client_logos: 1,
        oauth_artifacts: 2,
        sessions: 1,
        last_sign_ins: 1,
      },
    },
    '`POST /reset-password`, `/invitation`': {
      async repeat() {
        const { gatehouse } = world();
        const browser = newBrowser(gatehouse);
        const csrf = csrfOfForm(await browser.open('/forgot-password'));
        const fields = { csrf, password: PASSWORD, repeated: PASSWORD, name: 'Eve', id: 'inv_1' };
        for (const path of ['/reset-password', '/invitation']) {
          await times(MANY, () => postForm(browser, path, fields));
        }
      },
      atMost: {},
    },
    'an invitation': {
      async repeat() {
        const { gatehouse } = world();
        const invited = await gatehouse.createTenant('inviting');
        const admin = await createUser(gatehouse, [[invited, 'company_admin']]);
        const browser = newBrowser(gatehouse);
        const csrf = csrfOf(await signIn(browser, admin));
        await times(MANY, () =>
          postForm(browser, '/settings/members/invite?tenant=inviting', {
            csrf,
            emails: 'guest@example.com',
            role: 'viewer',
          }),
        );
      },
      atMost: {
        accounts: 1,
        attempts: 8 + 2,
        audit_log: 2,
        invitations: 1,
        last_sign_ins: 1,
        memberships: 1,
        outgoing_mail: 1,
        sessions: 1,
        spaces: 1,
        tenants: 1,
      },
    },
    'a confirmation of an address': {
      async repeat() {
        const { gatehouse, user } = world();
        const browser = newBrowser(gatehouse);
        const csrf = csrfOf(await signIn(browser, user));
        await times(MANY, (index) =>
          postForm(browser, '/settings/profile/email', { csrf, email: `a${index}@example.com` }),
        );
      },
      atMost: {
        account_links: 1,
        attempts: 8 + 6,
        audit_log: 1,
        last_sign_ins: 1,
        outgoing_mail: 5,
        sessions: 1,
      },
    },
  };
}
