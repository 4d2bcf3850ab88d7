import { KEY_SCOPES, PUBLIC_SCOPES, RESOURCE_SCOPES, type Scope } from '../scopes/catalog.js';

/**
 * The kinds of credentials, as data. Code reads the differences between kinds from here and does not branch on a
 * kind's name.
 */

/** The kind of principal that a credential represents. Every route declares the kinds that it admits. */
export const PRINCIPAL_KINDS = ['tenant', 'user', 'service', 'agent', 'publishable'] as const;
export type PrincipalKind = (typeof PRINCIPAL_KINDS)[number];

export const ENVIRONMENTS = ['live', 'test'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

export const CREDENTIAL_STATUSES = ['active', 'revoked', 'expired'] as const;
export type CredentialStatus = (typeof CREDENTIAL_STATUSES)[number];

/** The environments that a credential of one reaches. Live reaches test, but test does not reach live. */
export function reachableFrom(environment: Environment): readonly Environment[] {
  return environment === 'live' ? ENVIRONMENTS : [environment];
}

/** The ways in which a request can carry a credential. */
export type Presentation = 'bearer' | 'dpop' | 'token' | 'x-api-key' | 'brand-header' | 'query';

/**
 * The queries that look credentials up. Personal tokens are stored like keys, but limited by the role of their account.
 * Imported keys are found by a digest of their SHA-256.
 */
export type CredentialQuery = 'keys' | 'personal' | 'imported' | 'tokens';

/** The budgets that requests can count on, see `budgets.ts`. */
export type BudgetKind =
  'tenant' | 'publishable_tenant' | 'key' | 'key_and_address' | 'client_share' | 'account_share';

interface KindFacts {
  /** The query that looks its credentials up. */
  readonly lookupQuery: CredentialQuery;
  /** The part between brand and secret, which may depend on the environment. */
  readonly prefix: Readonly<Record<Environment, string>>;
  readonly principal: PrincipalKind;
  /** The principal's id: the tenant's, the creator's account's, or its own, which rotation keeps. */
  readonly speaksAs: 'tenant' | 'account' | 'itself';
  /** The scopes that it can have. */
  readonly carries: readonly Scope[];
  /** The scopes that it can grant to other keys; its own scopes if absent. */
  readonly grantableScopes?: readonly Scope[];
  /** Whether it may be public and can be read again at any time. */
  readonly isReadable: boolean;
  /** Whether it can be bound to single resources, and then reaches no others of their type. */
  readonly takesBindings: boolean;
  /** Its `type` at `/api/v1/me`. */
  readonly type: string;
  readonly presentations: readonly Presentation[];
  /** The budgets on which its requests count. */
  readonly limits: readonly BudgetKind[];
}

const inEither = (prefix: string) => ({ live: prefix, test: prefix });

/** Without `dpop`, which is for credentials that are bound to a key, of any kind (RFC 9449). */
const IN_A_HEADER = ['bearer', 'token', 'x-api-key', 'brand-header'] as const;

export const KINDS = {
  secret: {
    lookupQuery: 'keys',
    prefix: { live: 'live', test: 'test' },
    principal: 'tenant',
    speaksAs: 'tenant',
    carries: KEY_SCOPES,
    isReadable: false,
    takesBindings: false,
    type: 'api_key',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'key'],
  },
  publishable: {
    lookupQuery: 'keys',
    prefix: { live: 'pk_live', test: 'pk_test' },
    principal: 'publishable',
    speaksAs: 'tenant',
    carries: PUBLIC_SCOPES,
    isReadable: true,
    takesBindings: false,
    type: 'publishable_key',
    presentations: [...IN_A_HEADER, 'query'],
    limits: ['publishable_tenant', 'key_and_address'],
  },
  personal: {
    lookupQuery: 'personal',
    prefix: inEither('pat'),
    principal: 'user',
    speaksAs: 'account',
    carries: KEY_SCOPES,
    isReadable: false,
    takesBindings: false,
    type: 'personal_access_token',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'account_share'],
  },
  service: {
    lookupQuery: 'keys',
    prefix: inEither('svc'),
    principal: 'service',
    speaksAs: 'itself',
    carries: KEY_SCOPES,
    isReadable: false,
    takesBindings: false,
    type: 'service',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'key'],
  },
  agent: {
    lookupQuery: 'keys',
    prefix: inEither('agt'),
    principal: 'agent',
    speaksAs: 'itself',
    carries: KEY_SCOPES,
    isReadable: false,
    takesBindings: true,
    type: 'agent',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'key'],
  },
  organization: {
    lookupQuery: 'keys',
    prefix: inEither('org'),
    principal: 'tenant',
    speaksAs: 'tenant',
    carries: ['api_keys:manage', 'spaces:manage'],
    grantableScopes: RESOURCE_SCOPES,
    isReadable: false,
    takesBindings: false,
    type: 'organization',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'key'],
  },
  access_token: {
    lookupQuery: 'tokens',
    prefix: inEither('at'),
    principal: 'user',
    speaksAs: 'account',
    carries: [],
    isReadable: false,
    takesBindings: false,
    type: 'access_token',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'client_share'],
  },
} as const satisfies Record<string, KindFacts>;

export type Kind = keyof typeof KINDS;

/** The facts of a kind. */
export function factsOf(kind: Kind): KindFacts {
  return KINDS[kind];
}

/** The kinds that do not belong to a grant: keys and personal tokens. */
export type KeyKind = {
  [K in Kind]: (typeof KINDS)[K]['lookupQuery'] extends 'tokens' ? never : K;
}[Kind];

export const KEY_KINDS = (Object.keys(KINDS) as Kind[]).filter(
  (kind): kind is KeyKind => KINDS[kind].lookupQuery !== 'tokens',
);

/** The kinds that a tenant manages. Personal tokens are managed by their account. */
export const TENANT_KINDS = KEY_KINDS.filter((kind) => KINDS[kind].speaksAs !== 'account');

/** The kind of credentials with a prefix. */
export const KIND_BY_PREFIX: ReadonlyMap<string, Kind> = new Map(
  (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
    Object.values(KINDS[kind].prefix).map((prefix) => [prefix, kind] as const),
  ),
);
