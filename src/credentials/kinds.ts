import { KEY_SCOPES, PUBLIC_SCOPES, RESOURCE_SCOPES, type Scope } from '../scopes/catalog.js';

/**
 * The kinds of credentials, as data. What differs between kinds is read from here; code does not
 * branch on a kind's name.
 */

/** On whose behalf a credential speaks; every route names the kinds of principal that it admits. */
export type PrincipalKind = 'tenant' | 'user' | 'service' | 'agent' | 'publishable';

export const ENVIRONMENTS = ['live', 'test'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** The environments that one reaches: live reaches test, not the other way. */
export function reachableFrom(environment: Environment): readonly Environment[] {
  return environment === 'live' ? ENVIRONMENTS : [environment];
}

/** The ways in which a request can carry a credential. */
export type Presentation = 'bearer' | 'dpop' | 'token' | 'x-api-key' | 'brand-header' | 'query';

/**
 * How credentials are looked up, a query each. Personal tokens are stored like keys, but cut to the
 * role of whose they are; imported keys are recognised by a digest that was made elsewhere.
 */
export type Family = 'keys' | 'personal' | 'imported' | 'tokens';

/** The budgets that requests can count on, see `budgets.ts`. */
export type BudgetKind =
  'tenant' | 'publishable_tenant' | 'key' | 'key_and_address' | 'client_share' | 'account_share';

interface KindFacts {
  readonly family: Family;
  /** What stands between the brand and the secret; a kind may tell its environments apart there. */
  readonly prefix: Readonly<Record<Environment, string>>;
  readonly principal: PrincipalKind;
  /** Whose id it speaks under: the tenant's, its maker's account's, or its own, which rotating keeps. */
  readonly speaksAs: 'tenant' | 'account' | 'itself';
  /** The scopes that it can carry. */
  readonly carries: readonly Scope[];
  /** What the keys that it makes may carry, where that is not simply what it carries itself. */
  readonly grantableScopes?: readonly Scope[];
  /** It may be public, so it can be read again at any time. */
  readonly isReadable: boolean;
  /** It can be tied to single things, and then reaches no others of their type. */
  readonly takesBindings: boolean;
  /** How `/api/v1/me` calls it. */
  readonly type: string;
  readonly presentations: readonly Presentation[];
  /** The budgets that its requests count on. */
  readonly limits: readonly BudgetKind[];
}

const inEither = (prefix: string) => ({ live: prefix, test: prefix });

/** `dpop` is for tokens that are bound to a proof key (RFC 9449); keys never are. */
const IN_A_HEADER = ['bearer', 'token', 'x-api-key', 'brand-header'] as const;

export const KINDS = {
  secret: {
    family: 'keys',
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
    family: 'keys',
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
    family: 'personal',
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
    family: 'keys',
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
    family: 'keys',
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
    family: 'keys',
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
    family: 'tokens',
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

/** What is known of a kind. */
export function factsOf(kind: Kind): KindFacts {
  return KINDS[kind];
}

/** The kinds that do not live by a grant: keys of every kind, and personal tokens. */
export type KeyKind = {
  [K in Kind]: (typeof KINDS)[K]['family'] extends 'tokens' ? never : K;
}[Kind];

export const KEY_KINDS = (Object.keys(KINDS) as Kind[]).filter(
  (kind): kind is KeyKind => KINDS[kind].family !== 'tokens',
);

/** The kinds that a tenant manages; personal tokens are their account's own. */
export const TENANT_KINDS = KEY_KINDS.filter((kind) => KINDS[kind].speaksAs !== 'account');

/** The kind whose credentials carry this prefix, if any does. */
export const KIND_BY_PREFIX: ReadonlyMap<string, Kind> = new Map(
  (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
    Object.values(KINDS[kind].prefix).map((prefix) => [prefix, kind] as const),
  ),
);
