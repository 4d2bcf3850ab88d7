import type { Middleware } from 'koa';

import { isDatabaseUnavailable } from '../../db/unavailable.js';
import type { RequestState } from '../context.js';
import { Problem, serviceUnavailable } from './problem.js';

/** The content of an error page. */
export interface PageError {
  readonly status: number;
  readonly message: string;
  readonly code: string;
  readonly requestId: string;
}

/**
 * Makes middleware for routes that answer with pages: errors become pages.
 * @param render sends the page
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
