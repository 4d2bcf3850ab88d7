import type { IncomingMessage } from 'node:http';

import { Problem } from '../http/problem.js';
import type { Presentation } from './kinds.js';

/** A text that a request presented as its credential, and how it did. */
export interface Presented {
  readonly raw: string;
  readonly by: Presentation;
}

const SCHEMES = new Map<string, Presentation>([
  ['bearer', 'bearer'],
  ['dpop', 'dpop'],
  ['token', 'token'],
]);

/** Finds the credential in a request. */
export interface Presentations {
  /**
   * @returns what was presented; `undefined` if nothing was, or in a scheme that isn't ours
   * @throws Problem `bad_request` for more than one, also if one of them is in a scheme that isn't ours
   */
  find(request: IncomingMessage, querystring: string): Presented | undefined;
}

/** @param brandHeader the product's own header for machine credentials, `X-<Brand>-Api-Token` */
export function createPresentations(brandHeader: string): Presentations {
  const headers = new Map<string, (value: string) => Presented | undefined>([
    ['authorization', fromAuthorization],
    ['x-api-key', (raw) => ({ raw, by: 'x-api-key' })],
    [brandHeader.toLowerCase(), (raw) => ({ raw, by: 'brand-header' })],
  ]);
  const lengths = new Set([...headers.keys()].map((name) => name.length));

  return {
    find({ rawHeaders }, querystring) {
      const all: (Presented | undefined)[] = [];
      // As they were sent: Node's own view keeps the first of several Authorization headers and
      // joins others by commas, and one that was sent twice must not pass as one.
      for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
        const name = rawHeaders[index] ?? '';
        if (!lengths.has(name.length)) continue;
        const read = headers.get(name.toLowerCase());
        if (read) all.push(read(rawHeaders[index + 1] ?? ''));
      }
      // Its name may be percent-encoded too.
      if (querystring.includes('auth_token') || querystring.includes('%')) {
        const values = new URLSearchParams(querystring).getAll('auth_token');
        all.push(...values.map((raw) => ({ raw, by: 'query' }) as const));
      }
      if (all.length > 1) throw new Problem('bad_request', 'Present one credential, in one way.');
      return all[0];
    },
  };
}

/** The scheme, spaces, the credential (RFC 9110 §11.4). */
function fromAuthorization(value: string): Presented | undefined {
  const end = value.indexOf(' ');
  if (end < 0) return undefined;
  const by = SCHEMES.get(value.slice(0, end).toLowerCase());
  const raw = value.slice(end).trim();
  return by === undefined || raw === '' || raw.includes(' ') ? undefined : { raw, by };
}
