import { holdsPrivateKey, PRIVATE_KEY } from '../assertions/public-keys.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import type { ClientMetadata, MetadataReader } from '../registration/client-metadata.js';
import { AUTH_METHODS, isSymmetric, type AuthMethod } from '../registration/metadata-members.js';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** More declared methods are not read. */
const MAX_METHODS = 20;

/**
 * Reads a Client ID Metadata Document into the form of a registration.
 *
 * Unknown members and grant types are dropped. The declared authentication method is a preference.
 *
 * @param clientId the URL that the document was fetched from
 * @returns the reason why it is not usable, for the log
 */
export function readDocument(
  clientId: string,
  body: Buffer,
  readMetadata: MetadataReader,
): ClientMetadata | string {
  const document = parse(body);
  if (document === undefined) return 'not a JSON object';
  // Character by character: a document must not speak for another URL.
  if (document['client_id'] !== clientId) return 'client_id is not the URL';
  const name = document['client_name'];
  if (typeof name !== 'string' || name.trim() === '') return 'client_name is missing';
  if (hasValue(document['client_secret']) || hasValue(document['client_secret_expires_at'])) {
    return 'contains a client secret';
  }
  // Keys of a client without `private_key_jwt` are dropped, but a private one was published.
  if (holdsPrivateKey(document['jwks'])) return PRIVATE_KEY;
  const method = chooseMethod(document);
  if (method === undefined) return 'uses a symmetric authentication method';
  try {
    return readMetadata({ ...document, token_endpoint_auth_method: method });
  } catch (error) {
    if (error instanceof OAuthError) return error.message;
    throw error;
  }
}

function parse(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(body));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function hasValue(member: unknown): boolean {
  return member !== undefined && member !== null && member !== '';
}

/**
 * The declared method if this server knows it, or else the first known one of `token_endpoint_auth_methods_supported`.
 * @returns `undefined` if the declared method is symmetric, which a public document cannot use
 */
function chooseMethod(document: Readonly<Record<string, unknown>>): AuthMethod | undefined {
  const { token_endpoint_auth_method: declared } = document;
  if (typeof declared === 'string' && isSymmetric(declared)) return undefined;
  const supported = document['token_endpoint_auth_methods_supported'];
  const others: readonly unknown[] = Array.isArray(supported)
    ? supported.slice(0, MAX_METHODS)
    : [];
  const usable = AUTH_METHODS.filter((method) => !isSymmetric(method));
  for (const method of [declared, ...others]) {
    const known = usable.find((name) => name === method);
    if (known !== undefined) return known;
  }
  return 'none';
}
