import { z } from 'zod';

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
  redirect_uris: z
    .array(redirectUri, 'must be a list of URIs')
    .transform(unique)
    .pipe(z.array(z.string()).max(MAX_REDIRECTS, `may be ${MAX_REDIRECTS}`)),
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
  scope: z.string().max(4000).transform(requestable).optional(),
  contact: email.optional(),
  contacts: z.array(email).optional(),
  client_uri: httpsUrl.optional(),
  logo_uri: httpsUrl.optional(),
  software_id: displayText(200).optional(),
  software_version: displayText(200).optional(),
});

/**
 * Reads what a client says about itself (RFC 7591 §2). Members that are null or empty count as
 * absent; members, scopes and grant types that mean nothing here are dropped: the answer shows what
 * was kept.
 *
 * Of scopes of which none is left, none were given: the client may ask for any, as if it had
 * omitted them. What it gets, users decide.
 *
 * @param value the request's JSON
 * @param authMethod stands in for an absent `token_endpoint_auth_method`
 * @throws OAuthError 400 `invalid_redirect_uri` or `invalid_client_metadata` (RFC 7591 §3.2.2)
 */
export function parseClientMetadata(
  value: unknown,
  authMethod: AuthMethod = 'none',
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
    token_endpoint_auth_method: given.token_endpoint_auth_method ?? authMethod,
    application_type: given.application_type ?? (isNative ? 'native' : 'web'),
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

/** The first fault, by member; what was sent is never repeated. */
function toOAuthError({ issues }: z.ZodError): OAuthError {
  const inRedirect = issues.find(({ path }) => path[0] === 'redirect_uris');
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
