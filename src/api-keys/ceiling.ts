import { factsOf, reachableFrom, type Environment, type KeyKind } from '../credentials/kinds.js';
import { areWithin } from '../http/networks.js';
import type { Scope } from '../scopes/catalog.js';
import { missingFrom } from '../scopes/scope-set.js';

/** How far a credential reaches, in every respect in which one can reach further than another. */
export interface Reach {
  readonly kind: KeyKind;
  readonly environment: Environment;
  readonly scopes: readonly Scope[];
  /** `null`: every space of the tenant. */
  readonly spaces: readonly string[] | null;
  /** `null`: from anywhere. */
  readonly allowedIps: readonly string[] | null;
  /** `null`: never ends. */
  readonly expiresAt: Date | null;
  /** `null` and 0: no limit was put on it. */
  readonly rateLimitPerMinute: number | null;
}

/**
 * In which respects something would reach further than the one who makes or changes it.
 *
 * @returns one phrase for each; empty if it stays within
 */
export function excess(reach: Reach, ceiling: Reach): readonly string[] {
  const scopes = missingFrom(handedOnBy(ceiling), reachedBy(reach));
  return [
    ...(scopes.length > 0 ? [`scopes (${scopes.join(' ')})`] : []),
    ...(reachableFrom(ceiling.environment).includes(reach.environment) ? [] : ['environment']),
    ...(isWithin(reach.spaces, ceiling.spaces, isSubset) ? [] : ['spaces']),
    ...(isWithin(reach.allowedIps, ceiling.allowedIps, areWithin) ? [] : ['addresses']),
    ...(isWithin(reach.expiresAt, ceiling.expiresAt, (a, b) => a <= b) ? [] : ['expiry']),
    ...(isWithin(limitOf(reach), limitOf(ceiling), (a, b) => a <= b) ? [] : ['rate limit']),
  ];
}

/** What it can give to others. */
function handedOnBy({ kind, scopes }: Reach): readonly Scope[] {
  return factsOf(kind).handsOn ?? scopes;
}

/** What whoever holds it can come to: also by what it can give to others. */
function reachedBy({ kind, scopes }: Reach): readonly Scope[] {
  return [...scopes, ...(factsOf(kind).handsOn ?? [])];
}

/** `null` is no restriction: within nothing but itself. */
function isWithin<Value>(
  inner: Value | null,
  outer: Value | null,
  compare: (inner: Value, outer: Value) => boolean,
): boolean {
  return outer === null || (inner !== null && compare(inner, outer));
}

function isSubset(inner: readonly string[], outer: readonly string[]): boolean {
  return inner.every((item) => outer.includes(item));
}

/** Requests a minute; `null` for no limit. */
function limitOf({ rateLimitPerMinute }: Pick<Reach, 'rateLimitPerMinute'>): number | null {
  return rateLimitPerMinute === 0 ? null : rateLimitPerMinute;
}
