import type { Middleware } from 'koa';

import { isDatabaseUnavailable } from '../db/unavailable.js';
import type { RequestState } from './context.js';
import { Problem } from './problem.js';

/** An answer of the form that OAuth's own endpoints use (RFC 6749 §5.2): `{error, error_description}`. */
export class OAuthError extends Error {
  readonly status: number;
  /** One of the codes of the RFC that the endpoint follows. */
  readonly error: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For the log; the answer says no more than the description. */
  readonly reason: string;

  /**
   * @param description for the developer of the client; never a secret, never what is internal
   * @param internal for the log only: the cause, and the exact reason where the description hides it.
   *   Neither holds a secret.
   */
  constructor(
    status: number,
    error: string,
    description: string,
    headers: Readonly<Record<string, string>> = {},
    internal: { readonly cause?: unknown; readonly reason?: string } = {},
  ) {
    super(description, { cause: internal.cause });
    this.status = status;
    this.error = error;
    this.headers = headers;
    this.reason = internal.reason ?? description;
  }
}

/** The codes that stand for problems raised by what is shared with the resource API. */
const CODES: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  401: 'invalid_token',
  403: 'insufficient_scope',
  405: 'invalid_request',
  413: 'invalid_request',
  415: 'invalid_request',
  422: 'invalid_request',
  429: 'temporarily_unavailable',
  503: 'temporarily_unavailable',
};

/** Stands around OAuth's own endpoints: whatever is thrown further in is answered in OAuth's form. */
export const answerOAuthErrors: Middleware<RequestState> = async (ctx, next) => {
  try {
    await next();
  } catch (error) {
    const answer = toOAuthError(error);
    ctx.state.failure = answer.cause;
    // The guard knows the reason more exactly than its answer says.
    const known = error instanceof Problem ? ctx.state.refusal?.reason : undefined;
    noteRefusal(ctx, answer.error, known ?? answer.reason);
    ctx.set(answer.headers);
    ctx.status = answer.status;
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'application/json';
    ctx.body = JSON.stringify({ error: answer.error, error_description: answer.message });
  }
};

const MAX_REASON = 200;

/** Has the reason of a refusal logged with the request, under its id. It never reaches the answer. */
export function noteRefusal(ctx: { readonly state: object }, code: string, reason: string): void {
  const state = ctx.state as Pick<RequestState, 'refusal'>;
  state.refusal = { code, reason: reason.slice(0, MAX_REASON) };
}

function toOAuthError(error: unknown): OAuthError {
  if (error instanceof OAuthError) return error;
  if (isDatabaseUnavailable(error)) {
    return new OAuthError(
      503,
      'temporarily_unavailable',
      'Try again in a moment.',
      { 'Retry-After': '1' },
      { cause: error },
    );
  }
  if (!(error instanceof Problem)) {
    return new OAuthError(
      500,
      'server_error',
      'Something went wrong on our side.',
      {},
      { cause: error },
    );
  }
  if (error.code === 'tenant_suspended') {
    // Not the client's fault, and over some day: whatever it holds stays good.
    return new OAuthError(503, 'temporarily_unavailable', error.message);
  }
  const code = CODES[error.status] ?? 'invalid_request';
  return new OAuthError(error.status, code, error.message, error.headers, {
    cause: error.cause,
  });
}
