import type { Csrf } from '../../http/pages/csrf.js';
import type { RequestState, RouteContext } from '../../http/context.js';
import { singleValue, type Form } from '../../http/body/form.js';
import { noteRefusal } from '../../http/errors/oauth-error.js';
import type { Pages } from '../../http/pages/pages.js';
import { noteFacts } from '../../http/request-facts.js';
import type { AttemptTarget, SignInProviders } from '../../sign-in-providers/index.js';
import type { OAuthViews, ShownClient } from './views.js';

/** A signed-in account, and a mark of the password, which may be replaced before the session is saved. */
export interface SignedInAccount {
  readonly id: string;
  readonly passwordMark: string;
  /** How the user authenticated (RFC 8176), with a password unless it is given. */
  readonly amr?: readonly string[];
}

/** @returns whether the account still has the password of the mark */
export type HasPassword = (accountId: string, passwordMark: string) => Promise<boolean>;

/** The outcome of a sign-in attempt. */
export type SignInOutcome =
  | {
      readonly outcome: 'accepted';
      readonly account: SignedInAccount;
      /** Marks the browser as known to the account. */
      readonly deviceCookie: DeviceCookie;
    }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'throttled' | 'busy'; readonly retryAfterSeconds: number };

/** The cookie of a browser that has signed in before. */
export interface DeviceCookie {
  readonly value: string;
  readonly lifetimeSeconds: number;
}

interface Dependencies {
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly clientAddress: (request: PageContext['req']) => string;
  readonly signIn: (attempt: {
    email: string;
    password: string;
    address: string;
    deviceCookie: string | undefined;
  }) => Promise<SignInOutcome>;
  readonly countSignIn: (outcome: SignInOutcome['outcome']) => void;
  readonly deviceCookieName: string;
  readonly issuer: string;
  readonly providers: SignInProviders;
}

type PageContext = RouteContext<RequestState>;

/** The form's target and texts. */
interface SignInView {
  readonly action: string;
  /** The page that a sign-in at a provider continues to. */
  readonly target: AttemptTarget;
  /** Whether the user has to authenticate at the provider now. */
  readonly isFresh?: boolean;
  /** The client that the user continues to. */
  readonly client?: ShownClient | undefined;
  /** The initial value of the email field. */
  readonly hint?: string | undefined;
  /** The reason for the sign-in. */
  readonly notice?: string | undefined;
  /** Something that was just done, such as setting a new password. */
  readonly done?: string | undefined;
}

/** The login form, of authorizations and of the console. */
export interface SignInPage {
  show(ctx: PageContext, view: SignInView): undefined;
  /**
   * Signs in, and marks the browser as known to the account. A form that chose a provider, or has an address of one and
   * no password, is redirected to the provider.
   * @returns the account; `undefined` if the request was answered
   * @throws Problem `forbidden` if another origin sent the form
   */
  submit(ctx: PageContext, form: Form, view: SignInView): Promise<SignedInAccount | undefined>;
  /** Checks the password of a signed-in user, within the limits of sign-ins. */
  check(ctx: PageContext, email: string, password: string): Promise<PasswordCheck>;
}

/** The result of a check: the account, or the answer's status and the reason for the user. */
export type PasswordCheck = { readonly account: SignedInAccount } | RefusedCheck;

interface RefusedCheck {
  readonly account: undefined;
  readonly status: 403 | 422 | 429 | 503;
  readonly reason: string;
}

/** The same for an unknown email and a wrong password: it must not reveal which accounts exist. */
const REFUSED = 'The email address or the password is incorrect.';
const WRONG_PASSWORD = 'The password is incorrect.';
const BUSY = 'Many people are signing in right now. Try again in a few seconds.';
const NO_PROVIDER = 'That way to sign in is not offered any more.';
const PASSWORDS_OFF = 'Passwords are switched off here. Choose one of these ways to sign in.';
const STALE = 'This page was open for too long. Enter your password again.';

export function createSignInPage(dependencies: Dependencies): SignInPage {
  const { csrf, issuer, providers } = dependencies;
  const noCookie = `Your browser has to accept cookies from ${new URL(issuer).host} to sign in. Allow them, then try again.`;
  const send = createSend(dependencies);
  const leave = createLeave(providers, send);
  const check = createCheck(dependencies);

  return {
    show(ctx, view) {
      const problem = providers.problemIn(new URLSearchParams(ctx.querystring));
      return send(ctx, view, problem && { error: problem.text, status: problem.status });
    },
    async submit(ctx, form, view) {
      const email = singleValue(form, 'email') ?? '';
      const verdict = csrf.judge(ctx, form);
      if (verdict === 'no_cookie') return send(ctx, view, { email, error: noCookie, status: 403 });
      if (verdict === 'stale') return send(ctx, view, { email, error: STALE, status: 403 });
      csrf.check(ctx, form);
      const password = singleValue(form, 'password') ?? '';
      const provider =
        singleValue(form, 'provider') ??
        (password === '' ? providers.providerFor(email) : undefined);
      if (provider !== undefined) return leave(ctx, provider, email, view);
      const checked = await check(ctx, email, password, REFUSED);
      if (checked.account === undefined) {
        return send(ctx, view, { email, error: checked.reason, status: checked.status });
      }
      noteFacts(ctx, { accountId: checked.account.id });
      return checked.account;
    },
    check: (ctx, email, password) => check(ctx, email, password, WRONG_PASSWORD),
  };
}

/** Checks a password. While passwords are switched off, it is refused without being looked at. */
function createCheck(dependencies: Dependencies) {
  const { clientAddress, signIn, countSignIn, deviceCookieName, providers } = dependencies;
  return async (
    ctx: PageContext,
    email: string,
    password: string,
    refused: string,
  ): Promise<PasswordCheck> => {
    if (!providers.passwordSignIn) {
      noteRefusal(ctx, 'sign_in', 'passwords are off');
      return { account: undefined, status: 403, reason: PASSWORDS_OFF };
    }
    const result = await signIn({
      email,
      password,
      address: clientAddress(ctx.req),
      deviceCookie: ctx.cookies.get(deviceCookieName, { signed: false }),
    });
    countSignIn(result.outcome);
    if (result.outcome === 'accepted') {
      markDevice(ctx, deviceCookieName, result.deviceCookie);
      return { account: result.account };
    }
    noteRefusal(ctx, 'sign_in', result.outcome);
    if ('retryAfterSeconds' in result) ctx.set('Retry-After', String(result.retryAfterSeconds));
    return { account: undefined, ...refusalOf(result, refused) };
  };
}

/** Redirects to a provider, or shows the form again with the reason why that is not possible. */
function createLeave(providers: SignInProviders, send: Send) {
  return async (
    ctx: PageContext,
    provider: string,
    email: string,
    view: SignInView,
  ): Promise<undefined> => {
    const { target, isFresh } = view;
    const hint = email === '' ? view.hint : email;
    const beginning = await providers.begin(ctx, provider, { target, hint, isFresh });
    if ('url' in beginning) {
      ctx.redirect(beginning.url);
      // RFC 9110 §15.4.4
      ctx.status = 303;
      return undefined;
    }
    const { problem, retryAfterSeconds } = beginning;
    if (retryAfterSeconds !== undefined) ctx.set('Retry-After', String(retryAfterSeconds));
    const shown = providers.problemIn(new URLSearchParams({ provider, problem }));
    return send(ctx, view, {
      email,
      error: shown?.text ?? NO_PROVIDER,
      status: shown?.status ?? 404,
    });
  };
}

type Send = (
  ctx: PageContext,
  view: SignInView,
  said?: { email?: string | undefined; error?: string; status?: number },
) => undefined;

function createSend({ pages, csrf, providers }: Dependencies): Send {
  return (ctx, view, said = {}) => {
    const { status = 200, error, email = view.hint } = said;
    pages.send(
      ctx,
      'login',
      {
        title: 'Sign in',
        action: view.action,
        csrf: csrf.token(ctx),
        hidden: [],
        client: view.client,
        email,
        notice: error === undefined ? view.notice : undefined,
        done: error === undefined ? view.done : undefined,
        error,
        isInvalid: status === 422,
        providers: providers.buttons,
        hasPasswords: providers.passwordSignIn,
      },
      { status, endsAtClient: true },
    );
    return undefined;
  };
}

/**
 * The reason and status of an attempt that failed.
 * @param refused the reason for a wrong password
 */
function refusalOf(
  result: Exclude<SignInOutcome, { readonly outcome: 'accepted' }>,
  refused: string,
): Pick<RefusedCheck, 'status' | 'reason'> {
  if (result.outcome === 'refused') return { reason: refused, status: 422 };
  if (result.outcome === 'busy') return { reason: BUSY, status: 503 };
  return { reason: throttledFor(result.retryAfterSeconds), status: 429 };
}

/** Marks the browser as known to the account. */
function markDevice(
  ctx: PageContext,
  name: string,
  { value, lifetimeSeconds }: DeviceCookie,
): void {
  ctx.cookies.set(name, value, {
    httpOnly: true,
    maxAge: lifetimeSeconds * 1000,
    overwrite: true,
    path: '/',
    sameSite: 'lax',
    signed: false,
  });
}

function throttledFor(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  return `Too many attempts. Try again in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}.`;
}
