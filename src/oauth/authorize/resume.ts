import type { Context, Middleware } from 'koa';
import type Provider from 'oidc-provider';

import type { AttemptVerdict } from '../../rate-limits/index.js';
import type { RouteContext } from '../../http/context.js';
import { Problem } from '../../http/errors/problem.js';
import { wordsFor } from './authorization-error-words.js';
import { oidcOf } from '../library/library-internals.js';
import { pageOf } from '../paths.js';
import {
  alreadyAnswered,
  assertSameSession,
  findInteraction,
  redirect,
  type InteractionAccess,
} from './pending-authorization.js';

interface Dependencies extends InteractionAccess {
  /** Counts a request that resumes an authorization. */
  readonly admit: (request: Context['req']) => AttemptVerdict;
  readonly provider: () => Provider;
  readonly sessions: { restore(ctx: RouteContext, secret: string): Promise<void> };
  readonly transaction: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** The authorization endpoint, which continues the request that the path names. */
  readonly authorize: Middleware;
}

/**
 * Resumes an authorization request after a page: signs in, issues a code or redirects to the next page. All writes and
 * the response itself are stored in one transaction under the interaction's lock, so that a repeated request gets the
 * same response.
 */
export function createResume(dependencies: Dependencies): Middleware {
  return async (context, next) => {
    const ctx = context as RouteContext;
    assertAdmitted(dependencies.admit(ctx.req));
    try {
      await dependencies.transaction(() => resume(ctx, next, dependencies));
    } catch (error) {
      // The transaction was rolled back, so these cookies name no session.
      ctx.remove('Set-Cookie');
      throw error;
    }
  };
}

async function resume(
  ctx: RouteContext,
  next: Parameters<Middleware>[1],
  dependencies: Dependencies,
): Promise<void> {
  const stored = await findInteraction(ctx, dependencies, 'lock');
  if (stored.isAnswered) {
    if (stored.answer === undefined) throw alreadyAnswered();
    await dependencies.sessions.restore(ctx, stored.answer.session);
    // Not `redirect`, which would normalize the client's URI (RFC 6749 §3.1.2).
    ctx.status = 303;
    ctx.set('Location', stored.answer.location);
    return;
  }
  const { payload } = stored;
  const uid = String(ctx.params['uid']);
  // oidc-provider would answer these with a page that runs a script.
  await assertSameSession(ctx, payload, dependencies.provider());
  if (payload.result === undefined) return redirect(ctx, pageOf(payload.prompt.name, uid));

  await dependencies.authorize(ctx, next);
  const { failure } = ctx.state as { failure?: unknown };
  if (failure !== undefined) throw failure;
  const location = (ctx.response.get('Location') as string | undefined) ?? '';
  const session = oidcOf(ctx)?.session;
  if (location === '' || session === undefined) return;
  const { accountId, jti } = session;
  await dependencies.interactions.answer(uid, { location, accountId, session: jti });
}

/** @throws Problem `rate_limited` */
function assertAdmitted(verdict: AttemptVerdict): void {
  if (verdict.isAllowed) return;
  throw new Problem('rate_limited', wordsFor('rate_limited').message, {
    headers: { 'Retry-After': String(verdict.retryAfterSeconds) },
  });
}
