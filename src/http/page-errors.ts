import type { Middleware } from 'koa';

import { isDatabaseUnavailable } from '../db/unavailable.js';
import type { RequestState } from './context.js';
import { Problem, serviceUnavailable } from './problem.js';

/** What a page says when something went wrong. */
export interface PageError {
  readonly status: number;
  readonly message: string;
  readonly code: string;
  readonly requestId: string;
}

/**
 * Stands around the routes that answer with pages: whatever is thrown further in becomes a page.
 * @param render sends it
 */
export function answerPageErrors(
  render: (ctx: Parameters<Middleware<RequestState>>[0], error: PageError) => void,
): Middleware<RequestState> {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const problem = toProblem(error);
      ctx.state.failure = problem.cause;
      ctx.remove('Location');
      ctx.set(problem.headers);
      const { status, code, message } = problem;
      render(ctx, { status, code, message, requestId: ctx.state.requestId });
    }
  };
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isDatabaseUnavailable(error)) return serviceUnavailable(error);
  return new Problem('internal_error', 'Something went wrong on our side.', { cause: error });
}
