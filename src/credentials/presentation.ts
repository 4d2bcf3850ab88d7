import type { IncomingMessage } from 'node:http';

import { Problem } from '../http/problem.js';
import { KINDS, type Presentation } from './kinds.js';
import { explainAbsence, explainForm, headerOf } from './presentation-faults.js';
import type { SecretFormat } from './secret-format.js';

/** A text that a request presented as its credential, and how it did. */
export interface Presented {
  readonly raw: string;
  readonly by: Presentation;
  /** A publishable key beside what may be a user's token: it says where the token acts. */
  readonly beside?: string;
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
   * @throws Problem `bad_request` for more than one, also if one of them is in a scheme that isn't ours;
   *   except for a publishable key in `X-API-Key` beside a user's token in `Authorization`
   */
  find(request: IncomingMessage, querystring: string): Presented | undefined;
  /**
   * Which header was read and what it lacks, where nothing was presented, or nothing that is written like a
   * credential. Never repeats a secret, and depends on nothing that is stored.
   */
  explain(request: IncomingMessage, presented: Presented | undefined): string;
}

/** @param brandHeader the product's own header for machine credentials, `X-<Brand>-Api-Token` */
export function createPresentations(brandHeader: string, format: SecretFormat): Presentations {
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
      return all.length > 1 ? pairOf(all, format) : all[0];
    },
    explain: ({ headers: sent }, presented) =>
      presented === undefined
        ? explainAbsence(sent.authorization)
        : explainForm(presented.raw, headerOf(presented.by, brandHeader), format),
  };
}

const IN_AUTHORIZATION: ReadonlySet<Presentation> = new Set(SCHEMES.values());

/** The only two that go together; whether the token is any good, and a user's, is judged later. */
function pairOf(all: readonly (Presented | undefined)[], format: SecretFormat): Presented {
  const key = all.find((presented) => presented?.by === 'x-api-key');
  const token = all.find((presented) => presented && IN_AUTHORIZATION.has(presented.by));
  const kindOf = (presented: Presented) => format.parse(presented.raw)?.kind;
  if (all.length === 2 && key && token && kindOf(key) === 'publishable') {
    const kind = kindOf(token);
    if (kind === undefined || KINDS[kind].principal === 'user')
      return { ...token, beside: key.raw };
  }
  throw new Problem('bad_request', 'Present one credential, in one way.');
}

/** The scheme, spaces, the credential (RFC 9110 §11.4). */
function fromAuthorization(value: string): Presented | undefined {
  const end = value.indexOf(' ');
  if (end < 0) return undefined;
  const by = SCHEMES.get(value.slice(0, end).toLowerCase());
  const raw = value.slice(end).trim();
  return by === undefined || raw === '' || raw.includes(' ') ? undefined : { raw, by };
}
