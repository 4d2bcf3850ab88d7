import type { Csrf } from '../../http/pages/csrf.js';
import { parseForm, readForm, singleValue, type Form } from '../../http/body/form.js';
import type { Pages } from '../../http/pages/pages.js';
import type { Route } from '../../http/routes.js';
import { assertShort, repeatByGet } from '../authorize/endpoint.js';
import type { ConsoleSession, ConsoleSessions } from '../library/browser-sessions.js';
import {
  addressOf,
  readEndSessionRequest,
  type EndSessionReaderDependencies,
  type EndSessionRequest,
} from './request.js';
import { describeRedirect } from '../../http/redirect-target.js';
import type { OAuthViews } from '../authorize/views.js';
import {
  redirect,
  type PageAccount,
  type PageContext,
} from '../authorize/pending-authorization.js';

interface Dependencies extends EndSessionReaderDependencies {
  /** The endpoint's path. Its form is posted to `/confirm` below it. */
  readonly path: string;
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly sessions: Pick<ConsoleSessions, 'find' | 'end'>;
  readonly findAccount: (id: string) => Promise<PageAccount | undefined>;
  /** The page for users who cancel. */
  readonly home: string;
}

/** The signed-in user of the request's browser. */
interface Visitor {
  readonly session: ConsoleSession;
  readonly account: PageAccount;
}

/** The form field with the id of the session that the page named. */
const SESSION_FIELD = 'session';

/**
 * OpenID Connect RP-Initiated Logout 1.0. Any site can send a browser here. The user is always asked, and only the form
 * of that page ends the session.
 *
 * Anyone can register a client. While nobody is signed in, the browser is redirected without a click only for a client
 * with a valid id_token, or one that the operator verified. Otherwise registered URIs would be open redirects.
 */
export function createEndSessionRoutes(dependencies: Dependencies): Route<'public'>[] {
  const { path, csrf, sessions } = dependencies;
  const confirmPath = `${path}/confirm`;

  async function findVisitor(ctx: PageContext): Promise<Visitor | undefined> {
    const session = await sessions.find(ctx);
    const account = session && (await dependencies.findAccount(session.accountId));
    return session && account && { session, account };
  }

  async function ask(ctx: PageContext): Promise<void> {
    assertShort(ctx.querystring);
    const form = parseForm(Buffer.from(ctx.querystring));
    const request = await readEndSessionRequest(form, dependencies);
    const visitor = await findVisitor(ctx);
    if (visitor !== undefined)
      return showQuestion(ctx, request, visitor, confirmPath, dependencies);
    const { target, client, isProven } = request;
    if (target !== undefined && (isProven || client?.isVerified === true)) {
      return sendTo(ctx, target);
    }
    return showSignedOut(ctx, target, dependencies.pages);
  }

  async function confirm(ctx: PageContext): Promise<void> {
    const form = await readForm(ctx);
    csrf.check(ctx, form);
    const request = await readEndSessionRequest(withoutHint(form), dependencies);
    const visitor = await findVisitor(ctx);
    // Another account signed in since the page was shown, and was not asked.
    if (visitor !== undefined && visitor.session.sessionId !== singleValue(form, SESSION_FIELD)) {
      return showQuestion(ctx, request, visitor, confirmPath, dependencies);
    }
    if (visitor !== undefined) await sessions.end(ctx);
    if (request.target === undefined) redirect(ctx, path);
    else sendTo(ctx, request.target);
  }

  const route = (
    method: 'GET' | 'POST',
    at: string,
    handle: (ctx: PageContext) => Promise<void>,
  ): Route<'public'> => ({ method, path: at, access: 'public', handle });

  return [
    route('GET', path, ask),
    route('POST', path, repeatByGet),
    route('POST', confirmPath, confirm),
  ];
}

/** `ctx.redirect` would normalize the URI, which must stay as registered. */
function sendTo(ctx: PageContext, target: NonNullable<EndSessionRequest['target']>): void {
  ctx.status = 303;
  ctx.set('Location', addressOf(target));
  ctx.type = 'text/plain; charset=utf-8';
  ctx.body = 'Redirecting to the app.';
}

/** The hint was validated when the page was rendered. A form that adds one is not trusted. */
function withoutHint(form: Form): Form {
  form.delete('id_token_hint');
  return form;
}

function showQuestion(
  ctx: PageContext,
  request: EndSessionRequest,
  { session, account }: Visitor,
  action: string,
  { pages, csrf, home }: Dependencies,
): void {
  const { client, target, accountId } = request;
  const isNameTrusted = request.isProven || client?.isVerified === true;
  const fields = {
    [SESSION_FIELD]: session.sessionId,
    client_id: client?.id,
    post_logout_redirect_uri: target?.uri,
    state: target?.state,
  };
  pages.send(
    ctx,
    'sign-out',
    {
      title: 'Sign out?',
      action,
      csrf: csrf.token(ctx),
      hidden: Object.entries(fields).flatMap(([name, value]) =>
        value === undefined ? [] : [{ name, value }],
      ),
      account: { name: account.name ?? account.email, email: account.email },
      clientName: isNameTrusted ? client?.name : undefined,
      isOtherAccount: accountId !== undefined && accountId !== account.id,
      target: target && describeRedirect(target.uri),
      isTargetRefused: request.isTargetRefused,
      back: home,
    },
    { endsAtClient: target !== undefined },
  );
}

function showSignedOut(
  ctx: PageContext,
  target: EndSessionRequest['target'],
  pages: Pages<OAuthViews>,
): void {
  pages.send(ctx, 'signed-out', {
    title: 'Signed out',
    target: target && { ...describeRedirect(target.uri), href: addressOf(target) },
  });
}
