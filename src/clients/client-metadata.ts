import { z } from 'zod';

import {
  DEFAULT_SIGNING_ALGORITHM,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from '../credentials/signing-algorithms.js';
import { OAuthError } from '../http/oauth-error.js';
import { CATALOG } from '../scopes/catalog.js';
import { inCatalogOrder } from '../scopes/scope-set.js';
import { displayText } from './display-text.js';
import { isNativeRedirect, publicHttpsFault, redirectUriFault } from './redirect-uri.js';

/** What is kept of a client's registration (RFC 7591 §2), under the names of the RFC. */
export interface ClientMetadata {
  readonly client_name: string;
  /** Loopback redirects of public clients are kept without their port. */
  readonly redirect_uris: readonly string[];
  readonly grant_types: readonly string[];
  readonly response_types: readonly string[];
  readonly token_endpoint_auth_method: AuthMethod;
  readonly application_type: 'web' | 'native';
  /** Absent from clients that registered when there was no choice: `FORMER_SIGNING_ALGORITHM`. */
  readonly id_token_signed_response_alg?: SigningAlgorithm;
  /** Where the user may be sent after signing out; kept like `redirect_uris`. */
  readonly post_logout_redirect_uris?: readonly string[];
  /** In the catalogue's order; absent if the client may ask for anything. */
  readonly scope?: string;
  readonly contacts?: readonly string[];
  readonly client_uri?: string;
  readonly logo_uri?: string;
  readonly software_id?: string;
  readonly software_version?: string;
}

export type AuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post';

const AUTH_METHODS = [
  ...(['none', 'client_secret_basic', 'client_secret_post'] as const),
] satisfies AuthMethod[];
const GRANT_TYPES = ['authorization_code', 'refresh_token'];
const MAX_NAME = 200;
const MAX_REDIRECTS = 10;
const MAX_CONTACTS = 10;

const unique = (values: readonly string[]) => [...new Set(values)];

/** The values of `known` among those given, in its order; what else was given is dropped. */
const anyOf = (known: readonly string[]) =>
  z.array(z.string()).transform((given) => known.filter((value) => given.includes(value)));

const redirectUri = z.string().superRefine((uri, context) => {
  const fault = redirectUriFault(uri);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

const redirectUris = z
  .array(redirectUri, 'must be a list of URIs')
  .transform(unique)
  .pipe(z.array(z.string()).max(MAX_REDIRECTS, `may be ${MAX_REDIRECTS}`));

const httpsUrl = z
  .string()
  .trim()
  .superRefine((uri, context) => {
    const fault = publicHttpsFault(uri);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });

const email = z.string().trim().max(254).pipe(z.email('is no email address'));

/** Members that are not listed are dropped. */
const members = z.object({
  client_name: displayText(MAX_NAME).optional(),
  redirect_uris: redirectUris,
  grant_types: anyOf(GRANT_TYPES)
    .refine((kept) => kept.includes('authorization_code'), 'must include authorization_code')
    .default(GRANT_TYPES),
  response_types: anyOf(['code'])
    .refine((kept) => kept.length > 0, 'must include code')
    .default(['code']),
  token_endpoint_auth_method: z
    .enum(AUTH_METHODS, `must be one of ${AUTH_METHODS.join(', ')}`)
    .optional(),
  application_type: z.enum(['web', 'native'], 'must be web or native').optional(),
  id_token_signed_response_alg: z
    .enum(SIGNING_ALGORITHMS, `must be one of ${SIGNING_ALGORITHMS.join(', ')}`)
    .optional(),
  post_logout_redirect_uris: redirectUris.optional(),
  scope: z.string().max(4000).transform(requestable).optional(),
  contact: email.optional(),
  contacts: z.array(email).optional(),
  client_uri: httpsUrl.optional(),
  logo_uri: httpsUrl.optional(),
  software_id: displayText(200).optional(),
  software_version: displayText(200).optional(),
});

/** Values for an absent `token_endpoint_auth_method` and `id_token_signed_response_alg`. */
export interface MetadataDefaults {
  readonly authMethod: AuthMethod;
  readonly algorithm: SigningAlgorithm;
}

/**
 * Reads what a client says about itself (RFC 7591 §2). Members that are null or empty count as
 * absent; members, scopes and grant types that mean nothing here are dropped: the answer shows what
 * was kept.
 *
 * Of scopes of which none is left, none were given: the client may ask for any, as if it had
 * omitted them. What it gets, users decide.
 *
 * @param value the request's JSON
 * @param defaults stand in for members that are absent
 * @throws OAuthError 400 `invalid_redirect_uri` or `invalid_client_metadata` (RFC 7591 §3.2.2)
 */
export function parseClientMetadata(
  value: unknown,
  defaults: MetadataDefaults = { authMethod: 'none', algorithm: DEFAULT_SIGNING_ALGORITHM },
): ClientMetadata {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OAuthError(400, 'invalid_client_metadata', 'The body must be a JSON object.');
  }
  const result = members.safeParse(withoutEmptyMembers(value));
  if (!result.success) throw toOAuthError(result.error);
  const { client_name, contact, contacts = [], ...given } = result.data;
  const allContacts = unique([...(contact === undefined ? [] : [contact]), ...contacts]);
  if (allContacts.length > MAX_CONTACTS) {
    throw new OAuthError(400, 'invalid_client_metadata', `contacts: may be ${MAX_CONTACTS}`);
  }
  const isNative = given.redirect_uris.every(isNativeRedirect);
  return withoutEmptyMembers({
    ...given,
    client_name: client_name || nameFrom(given.redirect_uris),
    token_endpoint_auth_method: given.token_endpoint_auth_method ?? defaults.authMethod,
    application_type: given.application_type ?? (isNative ? 'native' : 'web'),
    id_token_signed_response_alg: given.id_token_signed_response_alg ?? defaults.algorithm,
    contacts: allContacts,
  }) as ClientMetadata;
}

/** The scopes that a client can ask for, as one text in the catalogue's order. */
function requestable(scope: string): string {
  const known = inCatalogOrder(scope.split(/\s+/));
  return known.filter((name) => CATALOG[name].grantedTo !== 'keys').join(' ');
}

function withoutEmptyMembers(value: object): unknown {
  const cleaned = Object.entries(value).map(([name, member]: [string, unknown]) => [
    name,
    Array.isArray(member) ? member.filter((item) => !isEmpty(item)) : member,
  ]);
  return Object.fromEntries(cleaned.filter(([, member]) => !isEmpty(member)));
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'string') return value.trim() === '';
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

/**
 * What users are shown of a client that does not name itself: where the answer goes. It does not
 * depend on the order of the URIs, since the id of a public client must not.
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

/** The first fault, by member; what was sent is never repeated. */
function toOAuthError({ issues }: z.ZodError): OAuthError {
  const inRedirect = issues.find(({ path: [member] }) => REDIRECT_MEMBERS.has(member));
  const issue = inRedirect ?? issues[0];
  const description = `${issue?.path.join('.')}: ${issue?.message}`;
  const code = inRedirect ? 'invalid_redirect_uri' : 'invalid_client_metadata';
  return new OAuthError(400, code, description);
}
/** The members that differ, as they were and as they are. */
export function differences(before: ClientMetadata, after: ClientMetadata) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names.filter((name) => {
    const key = name as keyof ClientMetadata;
    return JSON.stringify(before[key]) !== JSON.stringify(after[key]);
  });
  const pick = (metadata: ClientMetadata) =>
    Object.fromEntries(changed.map((name) => [name, metadata[name as keyof ClientMetadata]]));
  return { before: pick(before), after: pick(after) };
}

/** Whether the operator, who verified the one, would have seen something else in the other. */
export function isShownOtherwise(before: ClientMetadata, after: ClientMetadata): boolean {
  const shown = ({
    client_name,
    redirect_uris,
    client_uri,
    logo_uri,
    ...metadata
  }: ClientMetadata) =>
    JSON.stringify([
      client_name,
      redirect_uris.toSorted(),
      client_uri,
      logo_uri,
      metadata.post_logout_redirect_uris?.toSorted(),
    ]);
  return shown(before) !== shown(after);
}
