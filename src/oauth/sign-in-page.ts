import type { Csrf } from '../http/csrf.js';
import type { RequestState, RouteContext } from '../http/context.js';
import { singleValue, type Form } from '../http/form.js';
import type { Pages } from '../http/pages.js';
import type { OAuthViews } from './page-data.js';

/** Who signed in, and with which password: until a session has begun, it may be replaced. */
export interface SignedInAccount {
  readonly id: string;
  readonly passwordMark: string;
}

/** @returns whether the password is still the one that somebody has signed in with */
export type HasPassword = (accountId: string, passwordMark: string) => Promise<boolean>;

/** What came of an attempt to sign in. */
export type SignInOutcome =
  | { readonly outcome: 'accepted'; readonly account: SignedInAccount }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'throttled'; readonly retryAfterSeconds: number };

interface Dependencies {
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly clientAddress: (request: PageContext['req']) => string;
  readonly signIn: (attempt: {
    email: string;
    password: string;
    address: string;
  }) => Promise<SignInOutcome>;
}

type PageContext = RouteContext<RequestState>;

/** Where the form goes, and what it says beside its fields. */
interface SignInView {
  readonly action: string;
  readonly clientName?: string | undefined;
  /** An email address that the field is filled with. */
  readonly hint?: string | undefined;
}

/** The login form, wherever it is needed. */
export interface SignInPage {
  show(ctx: PageContext, view: SignInView): undefined;
  /** @returns the account; `undefined` if the form was answered with itself */
  submit(ctx: PageContext, form: Form, view: SignInView): Promise<SignedInAccount | undefined>;
}

/** One sentence, whatever was wrong: it must not tell which addresses have an account. */
const REFUSED = 'The email address or the password is not right.';

export function createSignInPage({ pages, csrf, clientAddress, signIn }: Dependencies): SignInPage {
  const send = (
    ctx: PageContext,
    view: SignInView,
    said: { email?: string | undefined; error?: string; status?: number } = {},
  ) => {
    const { status = 200, error, email = view.hint } = said;
    pages.send(
      ctx,
      'login',
      {
        title: 'Sign in',
        action: view.action,
        csrf: csrf.token(ctx),
        hidden: [],
        clientName: view.clientName,
        email,
        error,
        isInvalid: status === 422,
      },
      { status, endsAtClient: true },
    );
    return undefined;
  };

  return {
    show: (ctx, view) => send(ctx, view),
    async submit(ctx, form, view) {
      const email = singleValue(form, 'email') ?? '';
      const password = singleValue(form, 'password') ?? '';
      const result = await signIn({ email, password, address: clientAddress(ctx.req) });
      if (result.outcome === 'accepted') return result.account;
      if (result.outcome === 'refused')
        return send(ctx, view, { email, error: REFUSED, status: 422 });
      const { retryAfterSeconds } = result;
      ctx.set('Retry-After', String(retryAfterSeconds));
      const minutes = Math.ceil(retryAfterSeconds / 60);
      const error = `Too many attempts. Try again in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}.`;
      return send(ctx, view, { email, error, status: 429 });
    },
  };
}
