import { z } from 'zod';

import {
  ASSERTION_ALGORITHMS,
  SIGNING_ALGORITHMS,
} from '../../credentials/secrets/signing-algorithms.js';
import { boundedList, boundedText } from '../../http/body/bounded.js';
import type { IsHostAllowed } from '../../http/public-host.js';
import { OAUTH_SCOPES } from '../../scopes/catalog.js';
import { readPublicKeys, type PublicKeySet } from '../assertions/public-keys.js';
import { displayText } from './display-text.js';
import { publicHttpsFault, redirectUriFault } from '../redirect-uri.js';

export type AuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';

export const AUTH_METHODS: readonly AuthMethod[] = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
];

/** Whether a method uses a secret that both sides know. */
export function isSymmetric(method: string): boolean {
  return method.startsWith('client_secret_');
}

/** RFC 8628 §3.4 */
export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const DEFAULT_GRANT_TYPES = ['authorization_code', 'refresh_token'];
const GRANT_TYPES = [...DEFAULT_GRANT_TYPES, DEVICE_GRANT];
const MAX_REDIRECTS = 10;
const MAX_CONTACTS = 10;

/** Limits of the input, before anything is dropped. */
const MAX_ITEMS = 100;
const MAX_TEXT = 4000;
const MAX_URI = 2000;
/** Including empty and repeated ones. Parsing a URL is expensive. */
const MAX_SENT_REDIRECTS = 2 * MAX_REDIRECTS;

export const MAX_NAME = 200;

/** The given values that are in `known`, in its order. */
const anyOf = (known: readonly string[]) =>
  boundedList(MAX_ITEMS, z.string()).transform((given) =>
    known.filter((value) => given.includes(value)),
  );

const redirectUris = (isHostAllowed: IsHostAllowed) =>
  boundedList(
    MAX_SENT_REDIRECTS,
    z.string().superRefine((uri, context) => {
      const fault = redirectUriFault(uri, isHostAllowed);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    }),
    `must be a list of 1 to ${MAX_REDIRECTS} URIs`,
  )
    .transform(unique)
    .pipe(z.array(z.string()).max(MAX_REDIRECTS, `may be ${MAX_REDIRECTS}`));

/** Rules of the operator for client metadata. */
export interface MetadataRules {
  /** Whether redirect URIs may have a private host. */
  readonly isHostAllowed: IsHostAllowed;
  /** Whether this server may fetch a URL. */
  readonly isFetchable: (url: string) => boolean;
}

function publicKeys(value: unknown, context: z.core.$RefinementCtx): PublicKeySet {
  const keys = readPublicKeys(value);
  if (typeof keys !== 'string') return { keys };
  context.addIssue({ code: 'custom', message: keys });
  return z.NEVER;
}

/** A link for users. An invalid one is dropped. @param isAllowed admits links that do not lead to public hosts */
function link(isAllowed: MetadataRules['isFetchable']) {
  const isLink = (uri: string) => publicHttpsFault(uri) === undefined || isAllowed(uri);
  return boundedText(MAX_TEXT, z.string().trim().refine(isLink)).optional().catch(undefined);
}

const email = boundedText(254, z.string().trim().pipe(z.email()));

/** The email addresses in one value or a list. Everything else is dropped. */
const emails = z
  .unknown()
  .transform((value): string[] => {
    const given: unknown[] = Array.isArray(value) ? value : [value];
    if (given.length > MAX_ITEMS) return [];
    return given.flatMap((item) => email.safeParse(item).data ?? []);
  })
  .default([]);

/**
 * Schemas of the members of a registration (RFC 7591 §2). Other members are dropped.
 *
 * @param rules what the operator allows
 */
export function registrationMembers({ isHostAllowed, isFetchable }: MetadataRules) {
  return z.object({
    client_name: displayText(MAX_NAME).optional(),
    redirect_uris: redirectUris(isHostAllowed),
    grant_types: anyOf(GRANT_TYPES)
      .refine(
        (kept) => kept.includes('authorization_code') || kept.includes(DEVICE_GRANT),
        'must include authorization_code or the device grant',
      )
      .default(DEFAULT_GRANT_TYPES),
    response_types: anyOf(['code'])
      .refine((kept) => kept.length > 0, 'must include code')
      .default(['code']),
    token_endpoint_auth_method: z
      .enum(AUTH_METHODS, `must be one of ${AUTH_METHODS.join(', ')}`)
      .optional(),
    application_type: z.enum(['web', 'native'], 'must be web or native').optional(),
    jwks: z.unknown().transform(publicKeys).optional(),
    jwks_uri: boundedText(
      MAX_URI,
      z.string().refine(isFetchable, 'must be an https URL of a public host'),
    ).optional(),
    token_endpoint_auth_signing_alg: z
      .enum(ASSERTION_ALGORITHMS, `must be one of ${ASSERTION_ALGORITHMS.join(', ')}`)
      .optional(),
    // An unknown algorithm is replaced by the default (RFC 7591 §3.2.1).
    id_token_signed_response_alg: z.enum(SIGNING_ALGORITHMS).optional().catch(undefined),
    post_logout_redirect_uris: redirectUris(isHostAllowed).optional(),
    scope: boundedText(MAX_TEXT, z.string().transform(requestable)).optional(),
    contact: emails,
    contacts: emails,
    client_uri: link(() => false),
    logo_uri: link(isFetchable),
    software_id: displayText(200).optional(),
    software_version: displayText(200).optional(),
  });
}

/** The addresses of both members, `contact` first, up to the maximum. */
export function joinContacts(contact: readonly string[], contacts: readonly string[]) {
  return unique([...contact, ...contacts]).slice(0, MAX_CONTACTS);
}

/**
 * The schema's members of an object, without null and empty values, which count as absent. Applies to list items too.
 */
export function membersWithContent(
  value: object,
  names: readonly string[],
): Record<string, unknown> {
  const own = value as Readonly<Record<string, unknown>>;
  const given = names.map((name) => {
    const member = Object.hasOwn(own, name) ? own[name] : undefined;
    return [name, withoutEmptyItems(member)] as const;
  });
  return Object.fromEntries(given.filter(([, member]) => !isEmpty(member)));
}

function withoutEmptyItems(member: unknown): unknown {
  if (!Array.isArray(member) || member.length > MAX_ITEMS) return member;
  return member.filter((item) => !isEmpty(item));
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= MAX_TEXT && value.trim() === '';
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

/**
 * The scopes that a client can request, in the catalogue's order. Empty if it can request any, because it named all of
 * them or no known one.
 */
function requestable(scope: string): string {
  const given = new Set(scope.split(/\s+/));
  const known = OAUTH_SCOPES.filter((name) => given.has(name));
  return known.length === OAUTH_SCOPES.length ? '' : known.join(' ');
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/**
 * The body of a registration, for documentation: `registrationMembers` reads it. Other members, null and empty ones are
 * dropped.
 */
export const registrationRequest = z.looseObject({
  client_name: z.string().max(MAX_NAME).optional(),
  redirect_uris: z.array(z.string()).min(1).max(MAX_SENT_REDIRECTS),
  grant_types: z.array(z.string()).max(MAX_ITEMS).default(DEFAULT_GRANT_TYPES),
  response_types: z.array(z.string()).max(MAX_ITEMS).default(['code']),
  token_endpoint_auth_method: z.enum(AUTH_METHODS).default('none'),
  token_endpoint_auth_signing_alg: z.enum(ASSERTION_ALGORITHMS).optional(),
  jwks: z.looseObject({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
  jwks_uri: z.string().max(MAX_URI).optional(),
  application_type: z.enum(['web', 'native']).optional(),
  id_token_signed_response_alg: z.string().optional(),
  post_logout_redirect_uris: z.array(z.string()).max(MAX_SENT_REDIRECTS).optional(),
  scope: z.string().max(MAX_TEXT).optional(),
  contact: z.string().optional(),
  contacts: z.array(z.string()).max(MAX_ITEMS).optional(),
  client_uri: z.string().max(MAX_TEXT).optional(),
  logo_uri: z.string().max(MAX_TEXT).optional(),
  software_id: z.string().max(200).optional(),
  software_version: z.string().max(200).optional(),
});

/** A client as its registration answers it (RFC 7591 §3.2.1, RFC 7592 §3). */
export const clientInformation = z.strictObject({
  client_id: z.string(),
  client_id_issued_at: z.int(),
  client_secret: z.string().optional(),
  client_secret_expires_at: z.literal(0).optional(),
  registration_client_uri: z.url(),
  registration_access_token: z.string(),
  client_name: z.string(),
  redirect_uris: z.array(z.string()).min(1),
  grant_types: z.array(z.string()),
  response_types: z.array(z.string()),
  token_endpoint_auth_method: z.enum(AUTH_METHODS),
  token_endpoint_auth_signing_alg: z.enum(ASSERTION_ALGORITHMS).optional(),
  jwks: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
  jwks_uri: z.string().optional(),
  application_type: z.enum(['web', 'native']),
  id_token_signed_response_alg: z.enum(SIGNING_ALGORITHMS),
  post_logout_redirect_uris: z.array(z.string()).optional(),
  scope: z.string(),
  contacts: z.array(z.string()).optional(),
  client_uri: z.string().optional(),
  logo_uri: z.string().optional(),
  software_id: z.string().optional(),
  software_version: z.string().optional(),
});
