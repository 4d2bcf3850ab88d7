import { headerOf } from './presented.js';
import type { Presentation } from './types.js';

/** Explanations of headers without a credential. They repeat nothing that was sent, except names of registered schemes. */

const HOW = 'write "Authorization: Bearer <credential>"';

const byLowerCase = (names: readonly string[]) =>
  new Map(names.map((name) => [name.toLowerCase(), name]));

/** Schemes that an explanation may name. Any other word could be part of a secret. */
const KNOWN_SCHEMES = byLowerCase([
  'Basic',
  'Digest',
  'Negotiate',
  'NTLM',
  'ApiKey',
  'OAuth',
  'HOBA',
  'GNAP',
  'AWS4-HMAC-SHA256',
]);
const SCHEMES = byLowerCase(['Bearer', 'DPoP', 'Token']);

/**
 * Explains why a request presents no credential.
 * @param authorization the value of its Authorization header, if it has one
 */
export function explainAbsence(authorization: string | undefined): string {
  if (authorization === undefined) {
    return `No credential was sent: ${HOW}, or send a key in the header X-API-Key.`;
  }
  const [scheme = '', ...words] = authorization.trim().split(/\s+/, 3);
  if (scheme === '') return `The Authorization header is empty: ${HOW}.`;
  const own = SCHEMES.get(scheme.toLowerCase());
  const other = KNOWN_SCHEMES.get(scheme.toLowerCase());
  if (words.length === 0 && (own ?? other) === undefined) {
    return `The Authorization header has no scheme: ${HOW}.`;
  }
  if (own === undefined) {
    const named = other === undefined ? 'a scheme' : `the scheme ${other}`;
    return `The Authorization header has ${named} that is not accepted here: ${HOW}.`;
  }
  return words.length === 0
    ? `The Authorization header has the scheme ${own} without a credential: ${HOW}.`
    : `The Authorization header has more than one word after the scheme ${own}: ${HOW}.`;
}

/** Explains an empty credential. */
export function explainEmpty(by: Presentation, brand: string): string {
  return by === 'query'
    ? 'The credential is not valid here. Only publishable keys may be in a URL.'
    : `The ${headerOf(by, brand)} header is empty: it takes a credential.`;
}
