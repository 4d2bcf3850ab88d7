import type { Context } from 'koa';
import type { Accounts } from '../../accounts/index.js';
import type { Mail } from '../../mail/index.js';
import type { Csrf } from '../../http/pages/csrf.js';
import type { Pages } from '../../http/pages/pages.js';
import type { Form } from '../../http/body/form.js';
import type { Route } from '../../http/routes.js';
import type { ConsoleSessions } from '../../oauth/index.js';
import type { SignInProviders } from '../../sign-in-providers/index.js';
import type { ConsoleAccounts } from '../visitor.js';
import type { PublicContext } from './link-cookie.js';
import type { MailedViews } from './views.js';

export interface MailedDependencies {
  readonly accounts: Accounts;
  readonly people: ConsoleAccounts;
  readonly mail: Mail;
  readonly pages: Pages<MailedViews>;
  readonly csrf: Csrf;
  readonly sessions: ConsoleSessions;
  readonly providers: Pick<SignInProviders, 'passwordSignIn'>;
  readonly clientAddress: (request: Context['req']) => string;
  readonly issuer: string;
  /** Declares a route. A form is read, and its CSRF token checked, before it is handled. */
  readonly page: (
    method: 'GET' | 'POST',
    path: string,
    handle: (ctx: PublicContext, form: Form) => Promise<void> | void,
  ) => Route<'public'>;
}
