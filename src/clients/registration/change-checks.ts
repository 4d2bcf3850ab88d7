import type { Keyring } from '../../credentials/index.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { isPublicClientId } from '../client-id.js';
import type { Client } from '../client.entity.js';
import type { ClientMetadata } from './client-metadata.js';
import { isSymmetric } from './metadata-members.js';

/** @throws OAuthError 403 for a public client, whose id derives from its metadata and which installations share */
export function assertMayChange({ id }: Client): void {
  if (!isPublicClientId(id)) return;
  const description =
    'A public client cannot be changed or deleted. Register the new metadata instead.';
  throw new OAuthError(403, 'insufficient_scope', description, {
    'WWW-Authenticate': 'Bearer realm="oauth", error="insufficient_scope"',
  });
}

/**
 * Checks that a replacement's `client_id` and `client_secret`, if present, are the client's own (RFC 7592 §2.2). Other
 * members that only the server sets are ignored.
 *
 * @throws OAuthError 400 `invalid_client_metadata`
 */
export function assertSameClient(
  client: Client,
  body: unknown,
  metadata: ClientMetadata,
  keyring: Keyring,
): void {
  const given = body as Record<string, unknown>;
  const id = given['client_id'] ?? client.id;
  const secret = given['client_secret'] ?? undefined;
  const isSecretRight =
    secret === undefined ||
    (typeof secret === 'string' && keyring.digests(secret).includes(client.secretDigest ?? ''));
  const fault =
    (id !== client.id && 'client_id: is not the one of this registration') ||
    (!isSecretRight && 'client_secret: is not the one of this client') ||
    (metadata.token_endpoint_auth_method === 'none' &&
      'token_endpoint_auth_method: a confidential client cannot become public') ||
    (isSymmetric(metadata.token_endpoint_auth_method) &&
      client.secretDigest === null &&
      'token_endpoint_auth_method: this client has no secret. Register a new one');
  if (fault) throw new OAuthError(400, 'invalid_client_metadata', fault);
}
