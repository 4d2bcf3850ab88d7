import type { IncomingMessage } from 'node:http';

import { Problem } from '../../http/errors/problem.js';
import { KINDS, type Presentation } from '../kinds.js';
import { explainAbsence, explainForm, headerOf } from './presentation-faults.js';
import type { SecretFormat } from '../secrets/format.js';

/** The text that a request presented as its credential, and how it was presented. */
export interface Presented {
  readonly raw: string;
  readonly by: Presentation;
  /** A publishable key sent with the token. It sets the environment and spaces. */
  readonly publishableKey?: string;
}

const SCHEMES = new Map<string, Presentation>([
  ['bearer', 'bearer'],
  ['dpop', 'dpop'],
  ['token', 'token'],
]);

/** Finds the credential in a request. */
export interface Presentations {
  /**
   * @returns the credential; `undefined` if there is none, or only one in an unknown scheme
   * @throws Problem `bad_request` for more than one, including those in an unknown scheme. The exception is a
   *   publishable key in `X-API-Key` with a user's token in `Authorization`.
   */
  find(request: IncomingMessage, querystring: string): Presented | undefined;
  /**
   * Joins a token with the publishable key that came in `X-API-Key` beside it.
   * @throws Problem `bad_request` unless they are a pair that `find` accepts
   */
  join(token: Presented, publishableKey: string): Presented;
  /**
   * Describes the fault of a request without a credential, or with a malformed one. The text never repeats a
   * secret and depends on nothing stored.
   */
  explain(request: Pick<IncomingMessage, 'headers'>, presented: Presented | undefined): string;
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
      // Raw headers, because Node keeps only the first of several Authorization headers and joins others by
      // commas. A header sent twice must be refused.
      for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
        const name = rawHeaders[index] ?? '';
        if (!lengths.has(name.length)) continue;
        const read = headers.get(name.toLowerCase());
        if (read) all.push(read(rawHeaders[index + 1] ?? ''));
      }
      // The name of the parameter may be percent-encoded.
      if (querystring.includes('auth_token') || querystring.includes('%')) {
        const values = new URLSearchParams(querystring).getAll('auth_token');
        all.push(...values.map((raw) => ({ raw, by: 'query' }) as const));
      }
      return all.length > 1 ? pairOf(all, format) : all[0];
    },
    join: (token, raw) => pairOf([token, { raw, by: 'x-api-key' }], format),
    explain: ({ headers: sent }, presented) =>
      presented === undefined
        ? explainAbsence(sent.authorization)
        : explainForm(presented.raw, headerOf(presented.by, brandHeader), format),
  };
}

const IN_AUTHORIZATION: ReadonlySet<Presentation> = new Set(SCHEMES.values());

/** Accepts a publishable key with a user's token. The token itself is verified later. */
function pairOf(all: readonly (Presented | undefined)[], format: SecretFormat): Presented {
  const key = all.find((presented) => presented?.by === 'x-api-key');
  const token = all.find((presented) => presented && IN_AUTHORIZATION.has(presented.by));
  const kindOf = (presented: Presented) => format.parse(presented.raw)?.kind;
  if (all.length === 2 && key && token && kindOf(key) === 'publishable') {
    const kind = kindOf(token);
    if (kind === undefined || KINDS[kind].principal === 'user')
      return { ...token, publishableKey: key.raw };
  }
  throw new Problem('bad_request', 'Present one credential, in one way.');
}

/** Reads `<scheme> <credential>` (RFC 9110 §11.4). */
function fromAuthorization(value: string): Presented | undefined {
  const end = value.indexOf(' ');
  if (end < 0) return undefined;
  const by = SCHEMES.get(value.slice(0, end).toLowerCase());
  const raw = value.slice(end).trim();
  return by === undefined || raw === '' || raw.includes(' ') ? undefined : { raw, by };
}
