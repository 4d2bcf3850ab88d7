import type { z } from 'zod';

import {
  DEFAULT_SIGNING_ALGORITHM,
  FORMER_SIGNING_ALGORITHM,
  type AssertionAlgorithm,
  type SigningAlgorithm,
} from '../../credentials/secrets/signing-algorithms.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { OUR_MESSAGES } from '../../http/validation.js';
import { OAUTH_SCOPES } from '../../scopes/catalog.js';
import {
  joinContacts,
  MAX_NAME,
  membersWithContent,
  registrationMembers,
  type AuthMethod,
  type MetadataRules,
} from './metadata-members.js';
import type { PublicKeySet } from '../assertions/public-keys.js';
import { isNativeRedirect } from '../redirect-uri.js';

/** The stored metadata of a client (RFC 7591 §2). */
export interface ClientMetadata {
  readonly client_name: string;
  /** Loopback redirects of public clients are stored without their port. */
  readonly redirect_uris: readonly string[];
  readonly grant_types: readonly string[];
  readonly response_types: readonly string[];
  readonly token_endpoint_auth_method: AuthMethod;
  /** The keys of a client with the method `private_key_jwt`, or where they are published. */
  readonly jwks?: PublicKeySet;
  readonly jwks_uri?: string;
  readonly token_endpoint_auth_signing_alg?: AssertionAlgorithm;
  readonly application_type: 'web' | 'native';
  /** Absent for clients of earlier releases, which had no choice: `FORMER_SIGNING_ALGORITHM` applies. */
  readonly id_token_signed_response_alg?: SigningAlgorithm;
  /** Allowed destinations after a logout, stored like `redirect_uris`. */
  readonly post_logout_redirect_uris?: readonly string[];
  /** In the catalogue's order; absent if the client may request any scope. */
  readonly scope?: string;
  readonly contacts?: readonly string[];
  readonly client_uri?: string;
  readonly logo_uri?: string;
  readonly software_id?: string;
  readonly software_version?: string;
}

/** Maximum size of a client's stored metadata, as JSON. */
const MAX_BYTES = 8 * 1024;

/** Values for an absent `token_endpoint_auth_method` and `id_token_signed_response_alg`. */
export interface MetadataDefaults {
  readonly authMethod: AuthMethod;
  readonly algorithm: SigningAlgorithm;
}

const DEFAULTS: MetadataDefaults = { authMethod: 'none', algorithm: DEFAULT_SIGNING_ALGORITHM };

/**
 * Validates client metadata (RFC 7591 §2). Null and empty members count as absent. Unknown members, scopes and grant
 * types are dropped, as are invalid links and contacts. The response shows the stored metadata.
 *
 * If every scope was dropped, `scope` is treated as omitted.
 *
 * @param value the request's JSON
 * @param defaults values for absent members
 * @throws OAuthError 400 `invalid_redirect_uri` or `invalid_client_metadata` (RFC 7591 §3.2.2)
 */
export type MetadataReader = (value: unknown, defaults?: MetadataDefaults) => ClientMetadata;

/** Members that only the method `private_key_jwt` uses. Otherwise they are dropped, valid or not. */
const KEY_MEMBERS: readonly string[] = ['jwks', 'jwks_uri', 'token_endpoint_auth_signing_alg'];

/** @param rules what the operator allows */
export function createMetadataReader(rules: MetadataRules): MetadataReader {
  const members = registrationMembers(rules);
  const names = Object.keys(members.shape);
  const namesWithoutKeys = names.filter((name) => !KEY_MEMBERS.includes(name));

  return (value, defaults = DEFAULTS) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw refusal('The body must be a JSON object.');
    }
    const { token_endpoint_auth_method: method } = value as Readonly<Record<string, unknown>>;
    const hasKeys = (method || defaults.authMethod) === 'private_key_jwt';
    const sent = membersWithContent(value, hasKeys ? names : namesWithoutKeys);
    const result = members.safeParse(sent, OUR_MESSAGES);
    if (!result.success) throw toOAuthError(result.error);
    if (hasKeys) assertOneKeySource(result.data);
    const { client_name, contact, contacts, ...given } = result.data;
    const isNative = given.redirect_uris.every(isNativeRedirect);
    const read = {
      ...given,
      client_name: client_name || nameFrom(given.redirect_uris),
      token_endpoint_auth_method: given.token_endpoint_auth_method ?? defaults.authMethod,
      application_type: given.application_type ?? (isNative ? 'native' : 'web'),
      id_token_signed_response_alg: given.id_token_signed_response_alg ?? defaults.algorithm,
      contacts: joinContacts(contact, contacts),
    };
    const metadata = membersWithContent(read, Object.keys(read)) as unknown as ClientMetadata;
    if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_BYTES) {
      throw refusal(`The metadata may have at most ${MAX_BYTES} bytes.`);
    }
    return metadata;
  };
}

/** @throws OAuthError unless there is exactly one of `jwks` and `jwks_uri` (RFC 7591 §2) */
function assertOneKeySource(given: { readonly jwks?: unknown; readonly jwks_uri?: unknown }): void {
  if ((given.jwks === undefined) !== (given.jwks_uri === undefined)) return;
  throw refusal('private_key_jwt needs either jwks or jwks_uri.');
}

/** The metadata as responses show it, with the defaults of absent members. */
export function shownMetadata(metadata: ClientMetadata) {
  return {
    id_token_signed_response_alg: FORMER_SIGNING_ALGORITHM,
    scope: OAUTH_SCOPES.join(' '),
    ...metadata,
  };
}

/**
 * The name of a client without `client_name`: its host or scheme. It does not depend on the order of the URIs, because
 * the id of a public client must not.
 */
function nameFrom(redirectUris: readonly string[]): string {
  const sorted = redirectUris.toSorted();
  const web = sorted.find((uri) => !isNativeRedirect(uri));
  if (web !== undefined) return new URL(web).hostname.slice(0, MAX_NAME);
  const app = sorted.find((uri) => !/^http:/i.test(uri));
  return app === undefined
    ? 'An app on this device'
    : (app.split(':')[0] ?? '').toLowerCase().slice(0, MAX_NAME);
}

/** The members that hold redirection URIs (RFC 7591 §3.2.2). */
const REDIRECT_MEMBERS: ReadonlySet<unknown> = new Set([
  'redirect_uris',
  'post_logout_redirect_uris',
]);

/** The first fault, by member. It never quotes the request. */
function toOAuthError({ issues }: z.ZodError): OAuthError {
  const inRedirect = issues.find(({ path: [member] }) => REDIRECT_MEMBERS.has(member));
  const issue = inRedirect ?? issues[0];
  const description = `${issue?.path.join('.')}: ${issue?.message}`;
  return inRedirect
    ? new OAuthError(400, 'invalid_redirect_uri', description)
    : refusal(description);
}

function refusal(description: string): OAuthError {
  return new OAuthError(400, 'invalid_client_metadata', description);
}

/** The names of the members that differ. */
export function changedMembers(before: ClientMetadata, after: ClientMetadata): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.filter((name) => {
    const key = name as keyof ClientMetadata;
    return canonicalJson(before[key]) !== canonicalJson(after[key]);
  });
}

/** Whether a change affects what the operator verified and users consented to. */
export function isShownOtherwise(before: ClientMetadata, after: ClientMetadata): boolean {
  const shown = (metadata: ClientMetadata) =>
    canonicalJson([
      metadata.client_name,
      metadata.redirect_uris.toSorted(),
      metadata.client_uri,
      metadata.logo_uri,
      metadata.post_logout_redirect_uris?.toSorted(),
      metadata.token_endpoint_auth_method,
      metadata.jwks,
      metadata.jwks_uri,
    ]);
  return shown(before) !== shown(after);
}

/** PostgreSQL stores the members of objects in an order of its own. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
