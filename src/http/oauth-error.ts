import type { Middleware } from 'koa';

import { isDatabaseUnavailable } from '../db/unavailable.js';
import { Problem } from './problem.js';

/** An answer of the form that OAuth's own endpoints use (RFC 6749 §5.2): `{error, error_description}`. */
export class OAuthError extends Error {
  readonly status: number;
  /** One of the codes of the RFC that the endpoint follows. */
  readonly error: string;
  readonly headers: Readonly<Record<string, string>>;

  /** @param description for the developer of the client; never a secret, never what is internal */
  constructor(
    status: number,
    error: string,
    description: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(description);
    this.status = status;
    this.error = error;
    this.headers = headers;
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
export const answerOAuthErrors: Middleware = async (ctx, next) => {
  try {
    await next();
  } catch (error) {
    const answer = toOAuthError(error);
    // Unknown errors are logged in full, and answered, by the outermost layer.
    if (answer === undefined) throw error;
    ctx.set(answer.headers);
    ctx.status = answer.status;
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'application/json';
    ctx.body = JSON.stringify({ error: answer.error, error_description: answer.message });
  }
};

function toOAuthError(error: unknown): OAuthError | undefined {
  if (error instanceof OAuthError) return error;
  if (isDatabaseUnavailable(error)) {
    return new OAuthError(503, 'temporarily_unavailable', 'Try again in a moment.', {
      'Retry-After': '1',
    });
  }
  if (!(error instanceof Problem) || error.status === 500) return undefined;
  const code = CODES[error.status] ?? 'invalid_request';
  return new OAuthError(error.status, code, error.message, error.headers);
}
