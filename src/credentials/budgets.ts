import type { IncomingMessage } from 'node:http';

import { subscriberOf } from '../http/networks.js';
import { createRateBuckets, type RateBuckets } from '../http/rate-buckets.js';
import { usageOf, type Budget, type Share, type Usage } from '../http/rate-limit.js';
import { KINDS, type BudgetKind } from './kinds.js';
import type { Principal } from './principal.js';

/** What requests of a principal count on. */
export interface Budgets {
  /** Each window once, to be shared with other replicas. */
  readonly buckets: readonly RateBuckets[];
  /** The one of a minute, for budgets of something else than a credential. */
  readonly perMinute: RateBuckets;
  /** The shares of a request, opened; what has no limit is not among them. */
  sharesOf(principal: Principal, request: IncomingMessage, now: number): Share[];
  /** What is used and left; `apiKey` is `null` if the credential counts on none of its own. */
  usageOf(
    principal: Principal,
    request: IncomingMessage,
    now: number,
  ): { readonly tenant: UsageOrNoLimit; readonly apiKey: UsageOrNoLimit | null };
}

/** What has no limit is not counted. */
type UsageOrNoLimit =
  Usage | (Omit<Usage, 'limit' | 'remaining'> & { readonly limit: null; readonly remaining: null });

interface Limits {
  readonly tenantPerHour: number;
  readonly keyPerMinute: number;
}

interface BudgetFacts {
  readonly name: 'Tenant' | 'Key';
  readonly counts: Budget['counts'];
  idOf(principal: Principal, address: () => string): string;
}

/** Whoever has a publishable key must not be able to use up what is meant for the tenant's servers. */
const BUDGETS: Readonly<Record<BudgetKind, BudgetFacts>> = {
  tenant: { name: 'Tenant', counts: 'units', idOf: ({ tenantId }) => tenantId },
  publishable_tenant: {
    name: 'Tenant',
    counts: 'units',
    idOf: ({ tenantId }) => `${tenantId} publishable`,
  },
  key: { name: 'Key', counts: 'requests', idOf: ({ credentialId }) => credentialId },
  key_and_address: {
    name: 'Key',
    counts: 'requests',
    idOf: ({ credentialId }, address) => `${credentialId} ${subscriberOf(address())}`,
  },
};

/** The windows that budgets slide over, in seconds. */
const SECONDS = { Tenant: 3600, Key: 60 } as const;

export const BUDGET_WINDOWS: readonly number[] = Object.values(SECONDS);

/** @param limits what holds where nothing else is said; 0 is no limit */
export function createBudgets({
  limits,
  clientAddress,
}: {
  limits: Limits;
  clientAddress: (request: IncomingMessage) => string;
}): Budgets {
  const windows = {
    Tenant: createRateBuckets(SECONDS.Tenant),
    Key: createRateBuckets(SECONDS.Key),
  };
  const budgets = Object.fromEntries(
    Object.entries(BUDGETS).map(([label, facts]) => [
      label,
      { ...facts, label, buckets: windows[facts.name] },
    ]),
  ) as Readonly<Record<BudgetKind, Budget & BudgetFacts>>;

  const limitOf = (name: BudgetFacts['name'], { rateLimitPerMinute }: Principal) =>
    name === 'Tenant' ? limits.tenantPerHour : (rateLimitPerMinute ?? limits.keyPerMinute);

  const sharesOf: Budgets['sharesOf'] = (principal, request, now) => {
    const shares: Share[] = [];
    for (const kind of KINDS[principal.kind].limits) {
      const budget = budgets[kind];
      const limit = limitOf(budget.name, principal);
      if (limit === 0) continue;
      const id = budget.idOf(principal, () => clientAddress(request));
      shares.push({ budget, limit, bucket: budget.buckets.open(id, now) });
    }
    return shares;
  };

  return {
    buckets: Object.values(windows),
    perMinute: windows.Key,
    sharesOf,
    usageOf(principal, request, now) {
      const shares = sharesOf(principal, request, now);
      const usage = (name: BudgetFacts['name']) => {
        const share = shares.find(({ budget }) => budget.name === name);
        return share ? usageOf(share, now) : withoutLimit(windows[name]);
      };
      const kinds: readonly BudgetKind[] = KINDS[principal.kind].limits;
      const hasKeyBudget = kinds.some((kind) => BUDGETS[kind].name === 'Key');
      return { tenant: usage('Tenant'), apiKey: hasKeyBudget ? usage('Key') : null };
    },
  };
}

function withoutLimit({ windowSeconds }: RateBuckets): UsageOrNoLimit {
  return { limit: null, used: 0, remaining: null, resetSeconds: 0, windowSeconds };
}
