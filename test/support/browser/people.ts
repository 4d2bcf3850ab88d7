import type { Role } from '../../../src/scopes/roles.js';
import type { Tenant } from '../../../src/tenants/index.js';
import { createTestApp, type TestApp } from '../app/app.js';
import { useFixture } from '../app/use-fixture.js';
import { createMailServer, type MailServer, type ReceivedMail } from '../app/mail-server.js';
import { createUser, type Browser, type BrowserStop, type TestUser } from '../oauth/oauth.js';
import { csrfOf, newBrowser, postForm, signIn } from './console.js';

/** A server that sends mail, with an organization, its administrator and a member. */
export interface People {
  readonly gatehouse: TestApp;
  readonly server: MailServer;
  readonly acme: Tenant;
  readonly ann: TestUser;
  readonly bob: TestUser;
  /** Sends the waiting mail, and finds the latest one to an address. */
  mailTo(address: string): Promise<ReceivedMail | undefined>;
  member(role: Role, email?: string): Promise<TestUser>;
  signedIn(user: TestUser): Promise<Visit>;
  /** Entries of the audit log about an action, oldest first. */
  audited(action: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** A signed-in browser. */
export interface Visit {
  readonly browser: Browser;
  open(path: string): Promise<BrowserStop>;
  /** Sends a form with the token of the browser; redirects are not followed. */
  readonly post: (path: string, fields?: Readonly<Record<string, string>>) => Promise<Sent>;
}

export interface Sent {
  readonly status: number;
  readonly location: string | null;
  readonly html: string;
  readonly headers: Headers;
}

/** People for the tests of a file, or of a `describe`, as `useFixture` opens and closes them. */
export function usePeople(env?: Readonly<Record<string, string>>): People {
  return useFixture(() => createPeople(env));
}

export async function createPeople(env: Readonly<Record<string, string>> = {}): Promise<People> {
  const server = await createMailServer();
  const gatehouse = await createTestApp({ SMTP_URL: server.url, ...env });
  const acme = await gatehouse.createTenant('acme');
  const member = (role: Role, email?: string) => createUser(gatehouse, [[acme, role]], email);
  return {
    gatehouse,
    server,
    acme,
    ann: await member('company_admin', 'ann@example.com'),
    bob: await member('member', 'bob@example.com'),
    async mailTo(address) {
      await gatehouse.app.mail.deliver();
      return server.mailsTo(address).at(-1);
    },
    member,
    async signedIn(user) {
      const browser = newBrowser(gatehouse);
      return visit(browser, csrfOf(await signIn(browser, user)));
    },
    audited: (action) =>
      gatehouse.database.query(
        'SELECT actor, subject, tenant_id, details FROM audit_log WHERE action = $1 ORDER BY at, id',
        [action],
      ),
    async close() {
      await gatehouse.close();
      await server.close();
    },
  };
}

/** A browser that sends forms with this token. */
export function visit(browser: Browser, csrf: string): Visit {
  return {
    browser,
    open: (path) => browser.open(path),
    post: async (path, fields = {}) => sentOf(await postForm(browser, path, { csrf, ...fields })),
  };
}

export async function sentOf(answer: Response): Promise<Sent> {
  const { status, headers } = answer;
  return { status, headers, location: headers.get('Location'), html: await answer.text() };
}

/** Submits the form for a personal token in acme, and opens the page that shows it. */
export async function makeToken(
  visitor: Visit,
  fields: Readonly<Record<string, string>> = {},
): Promise<string> {
  const made = await visitor.post('/settings/tokens/new?tenant=acme', {
    name: 'T',
    access: 'read',
    expires: '30',
    ...fields,
  });
  const shown = made.location === null ? made : await visitor.open(made.location);
  return /bwp_pat_\w{49}/.exec(shown.html)?.[0] ?? '';
}
