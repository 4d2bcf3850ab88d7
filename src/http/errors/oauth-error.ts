import type { Middleware } from 'koa';

import { isDatabaseUnavailable } from '../../db/unavailable.js';
import { maskCredentials } from '../body/text.js';
import type { RequestState } from '../context.js';
import { Problem } from './problem.js';

/** An error of an OAuth endpoint (RFC 6749 §5.2), answered as `{error, error_description}`. */
export class OAuthError extends Error {
  readonly status: number;
  /** An error code of the endpoint's RFC. */
  readonly error: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The exact reason, for the log only. */
  readonly reason: string;

  /**
   * @param description for the developer of the client, without secrets or internals
   * @param internal for the log only: the cause, and the exact reason if the description hides it. Neither may hold
   *   a secret.
   */
  constructor(
    status: number,
    error: string,
    description: string,
    headers: Readonly<Record<string, string>> = {},
    internal: { readonly cause?: unknown; readonly reason?: string } = {},
  ) {
    super(inDescriptionCharset(maskCredentials(description)), { cause: internal.cause });
    this.status = status;
    this.error = error;
    this.headers = headers;
    this.reason = internal.reason ?? description;
  }
}

/**
 * The error of a limit that is used up.
 *
 * @param what the subject of the sentence, such as "Too many assertions"
 */
export function tooManyRequests(what: string, retryAfterSeconds: number): OAuthError {
  return new OAuthError(429, 'temporarily_unavailable', `${what}. Try again later.`, {
    'Retry-After': String(retryAfterSeconds),
  });
}

/** @throws OAuthError 429 if an attempt is not allowed, see `tooManyRequests` */
export function assertAllowed(
  verdict:
    | { readonly isAllowed: true }
    | { readonly isAllowed: false; readonly retryAfterSeconds: number },
  what: string,
): void {
  if (!verdict.isAllowed) throw tooManyRequests(what, verdict.retryAfterSeconds);
}

/**
 * Replaces the characters that `error_description` may not have (RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E), such as
 * those of a scope that it quotes from the request.
 */
function inDescriptionCharset(text: string): string {
  return text.replace(/["’]/g, "'").replace(/[^ !#-[\]-~]/gu, '?');
}

/** Error codes for problems that are thrown by code shared with the resource API, by status. */
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

/** Middleware around the OAuth endpoints: answers errors in OAuth's format. */
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

/** Notes the reason of a refusal for the request's log line. It is not part of the answer. */
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
    // Temporary and not the client's fault, so that the client keeps its tokens.
    return new OAuthError(503, 'temporarily_unavailable', error.message);
  }
  const code = CODES[error.status] ?? 'invalid_request';
  return new OAuthError(error.status, code, error.message, error.headers, {
    cause: error.cause,
  });
}
