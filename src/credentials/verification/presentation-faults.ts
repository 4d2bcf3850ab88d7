import type { Presentation } from '../kinds.js';
import type { SecretFormat } from '../secrets/format.js';

/** Explanations of malformed headers. They repeat nothing that was sent, except names of registered schemes. */

const HOW = 'write "Authorization: Bearer <credential>"';

/** Schemes that an explanation may name. Any other word could be part of a secret. */
const KNOWN_SCHEMES = new Map(
  [
    'Basic',
    'Digest',
    'Negotiate',
    'NTLM',
    'ApiKey',
    'OAuth',
    'HOBA',
    'GNAP',
    'AWS4-HMAC-SHA256',
  ].map((name) => [name.toLowerCase(), name]),
);
/** Schemes that are accepted. */
const SCHEMES = new Map(['Bearer', 'DPoP', 'Token'].map((name) => [name.toLowerCase(), name]));

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

/** Explains why a presented text cannot be a credential, independently of stored data. */
export function explainForm(raw: string, header: string, format: SecretFormat): string {
  if (raw === '') return `The ${header} header is empty: it takes a credential.`;
  const subject = `The credential in the ${header} header`;
  if (/^(bearer|dpop|token|basic)\s/i.test(raw)) {
    return `The ${header} header holds a scheme: it takes the credential alone.`;
  }
  if (/^["'<]/.test(raw)) return `${subject} is in quotes or brackets: send it without.`;
  if (/\s/.test(raw)) return `${subject} has a space in it, which no credential has.`;
  const fault = format.faultOf(raw);
  switch (fault.fault) {
    case 'checksum':
      return `${subject} is cut off or mistyped: its checksum does not match.`;
    case 'length':
      return `${subject} is cut off or mistyped: its length or alphabet is wrong.`;
    case 'kind':
      return `${subject} is written like ${fault.other}, which is not accepted here.`;
    case 'prefix':
      return `${subject} is cut off or mistyped: it is of no kind that is known here.`;
    case 'brand':
      return raw.startsWith('eyJ')
        ? `${subject} is a JWT, such as an id_token. Send the access token or a key.`
        : `${subject} is not one of this service: those start with ${format.start}.`;
  }
}

/** The header that a credential came in. */
export function headerOf(by: Presentation, brandHeader: string): string {
  if (by === 'x-api-key') return 'X-API-Key';
  return by === 'brand-header' ? brandHeader : 'Authorization';
}
