import type { IncomingMessage } from 'node:http';

import { Problem } from '../http/problem.js';
import type { Presentation } from './kinds.js';

/** A text that a request presented as its credential, and how it did. */
export interface Presented {
  readonly raw: string;
  readonly by: Presentation;
}

const SCHEMES: Readonly<Record<string, Presentation>> = {
  bearer: 'bearer',
  dpop: 'dpop',
  token: 'token',
};

/**
 * Makes the function that finds the credential in a request.
 *
 * @param brandHeader the product's own header for machine credentials, `X-<Brand>-Api-Token`
 */
export function createPresentations(brandHeader: string): {
  /**
   * @returns what was presented; `undefined` if nothing was, or in a scheme that isn't ours
   * @throws Problem `bad_request` when more than one credential is presented
   */
  find(request: IncomingMessage, querystring: string): Presented | undefined;
} {
  const headers = [
    ['authorization', fromAuthorization],
    ['x-api-key', (raw: string): Presented => ({ raw, by: 'x-api-key' })],
    [brandHeader.toLowerCase(), (raw: string): Presented => ({ raw, by: 'brand-header' })],
  ] as const;

  return {
    find(request, querystring) {
      let found: Presented | undefined;
      let count = 0;
      for (const [name, read] of headers) {
        // Node keeps the first of several Authorization headers and joins others by commas; one
        // that was sent twice must not pass as one.
        if (request.headers[name] === undefined) continue;
        for (const value of request.headersDistinct[name] ?? []) {
          count += 1;
          found = read(value);
        }
      }
      if (querystring.includes('auth_token')) {
        for (const raw of new URLSearchParams(querystring).getAll('auth_token')) {
          count += 1;
          found = { raw, by: 'query' };
        }
      }
      if (count > 1) {
        throw new Problem('bad_request', 'Present one credential, in one way.');
      }
      return found;
    },
  };
}

function fromAuthorization(value: string): Presented | undefined {
  const [, scheme = '', raw = ''] = /^([A-Za-z]+) +(\S+) *$/.exec(value) ?? [];
  const by = SCHEMES[scheme.toLowerCase()];
  return by && { raw, by };
}
