/**
 * The kinds of credentials, as data. What differs between kinds is read from here; code does not
 * branch on a kind's name.
 */

/** On whose behalf a credential speaks; every route names the kinds of principal that it admits. */
export type PrincipalKind = 'tenant' | 'user' | 'service' | 'agent' | 'publishable';

export const ENVIRONMENTS = ['live', 'test'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** The ways in which a request can carry a credential. */
export type Presentation = 'bearer' | 'dpop' | 'token' | 'x-api-key' | 'brand-header' | 'query';

/** Where credentials are stored, each family in a table of its own. */
export type Family = 'keys' | 'tokens';

/** The budgets that requests can count on, see `budgets.ts`. */
export type BudgetKind = 'tenant' | 'publishable_tenant' | 'key' | 'key_and_address';

interface KindFacts {
  readonly family: Family;
  /** What stands between the brand and the secret; a kind may tell its environments apart there. */
  readonly prefix: Readonly<Record<Environment, string>>;
  readonly principal: PrincipalKind;
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
    type: 'api_key',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'key'],
  },
  publishable: {
    family: 'keys',
    prefix: { live: 'pk_live', test: 'pk_test' },
    principal: 'publishable',
    type: 'publishable_key',
    presentations: [...IN_A_HEADER, 'query'],
    limits: ['publishable_tenant', 'key_and_address'],
  },
  personal: {
    family: 'keys',
    prefix: inEither('pat'),
    principal: 'user',
    type: 'personal_access_token',
    presentations: IN_A_HEADER,
    limits: ['tenant'],
  },
  service: {
    family: 'keys',
    prefix: inEither('svc'),
    principal: 'service',
    type: 'service',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'key'],
  },
  agent: {
    family: 'keys',
    prefix: inEither('agt'),
    principal: 'agent',
    type: 'agent',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'key'],
  },
  organization: {
    family: 'keys',
    prefix: inEither('org'),
    principal: 'tenant',
    type: 'organization',
    presentations: IN_A_HEADER,
    limits: ['tenant', 'key'],
  },
  access_token: {
    family: 'tokens',
    prefix: inEither('at'),
    principal: 'user',
    type: 'access_token',
    presentations: IN_A_HEADER,
    limits: ['tenant'],
  },
} as const satisfies Record<string, KindFacts>;

export type Kind = keyof typeof KINDS;

/** The kinds that are issued and managed as keys. */
export type KeyKind = {
  [K in Kind]: (typeof KINDS)[K]['family'] extends 'keys' ? K : never;
}[Kind];

export const KEY_KINDS = (Object.keys(KINDS) as Kind[]).filter(
  (kind): kind is KeyKind => KINDS[kind].family === 'keys',
);

/** The kind whose credentials carry this prefix, if any does. */
export const KIND_BY_PREFIX: ReadonlyMap<string, Kind> = new Map(
  (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
    Object.values(KINDS[kind].prefix).map((prefix) => [prefix, kind] as const),
  ),
);
