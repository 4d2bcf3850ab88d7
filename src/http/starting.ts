import type { RequestListener } from 'node:http';

import { createId } from '../db/id.js';
import { Problem } from './problem.js';

/** What answers before the application is there, and hands over to it. */
export interface StartingHandler {
  readonly handle: RequestListener;
  /** From now on, requests are answered by `next`. */
  become(next: RequestListener): void;
}

/**
 * Answers while the server starts, as the API does when it can't work: 503 to everything but
 * `/healthz`, which asks no more than whether the process answers.
 *
 * @param docsUrl where the problem codes are explained
 */
export function createStartingHandler(docsUrl: string): StartingHandler {
  let current: RequestListener = ({ url = '' }, response) => {
    const requestId = createId('req');
    response.setHeader('X-Request-Id', requestId);
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (/^\/healthz(\?|$)/.test(url)) {
      response.setHeader('Content-Type', 'application/json; charset=utf-8');
      response.end(JSON.stringify({ status: 'ok' }));
      return;
    }
    const problem = new Problem('service_unavailable', 'The service is starting. Try again.');
    response.statusCode = problem.status;
    response.setHeader('Retry-After', '1');
    response.setHeader('Content-Type', 'application/problem+json');
    response.end(JSON.stringify(problem.toBody(docsUrl, requestId)));
  };
  return {
    handle: (request, response) => current(request, response),
    become(next) {
      current = next;
    },
  };
}
