import type { ConsoleSessions, SignInPage } from '../../oauth/index.js';
import type { Form } from '../../http/body/form.js';
import type { SettingsContext } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';

/**
 * Asks for the password before a secret is made, if the sign-in is older than 15 minutes: a browser that was left alone
 * must not give away credentials that outlive the session.
 */
export interface PasswordGate {
  /**
   * Checks a submitted form. If the password has to be confirmed, a page asks for it. It holds all fields of the form,
   * and submits them again to the same address.
   *
   * @returns whether the caller may do its work; otherwise the request has been answered
   */
  pass(ctx: SettingsContext): Promise<boolean>;
}

const RECENT_SECONDS = 15 * 60;

/** The field of the page's form. No other form has one of this name. */
const PASSWORD_FIELD = 'confirm_password';

interface Dependencies {
  readonly showPage: ShowPage;
  readonly signInPage: SignInPage;
  readonly sessions: Pick<ConsoleSessions, 'begin'>;
  readonly signedInWithin: (sessionId: string, seconds: number) => Promise<boolean | undefined>;
}

export function createPasswordGate({
  showPage,
  signInPage,
  sessions,
  signedInWithin,
}: Dependencies): PasswordGate {
  return {
    async pass(ctx) {
      const { form, visitor } = ctx.state;
      const password = form.get(PASSWORD_FIELD) ?? '';
      // A session that has ended meanwhile is refused by the work itself.
      if ((await signedInWithin(visitor.sessionId, RECENT_SECONDS)) !== false) return true;
      const ask = (status: 200 | 422 | 429 | 503, error?: string) =>
        showPage(
          ctx,
          'confirm-password',
          {
            title: 'Confirm your password',
            action: ctx.path + ctx.search,
            email: visitor.email,
            fields: fieldsToKeep(form),
            error,
          },
          { status },
        );
      if (password === '') {
        ask(200);
        return false;
      }
      const checked = await signInPage.check(ctx as never, visitor.email, password);
      if (checked.account === undefined) {
        ask(checked.status, checked.reason);
        return false;
      }
      // The session continues under a new secret, and counts as signed in now.
      await sessions.begin(ctx as never, checked.account);
      return true;
    },
  };
}

/** All fields in their order, without the token and the password of the page itself. */
function fieldsToKeep(form: Form): readonly { readonly name: string; readonly value: string }[] {
  return [...form]
    .filter(([name]) => name !== 'csrf' && name !== PASSWORD_FIELD)
    .map(([name, value]) => ({ name, value }));
}
