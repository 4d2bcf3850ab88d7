import { subscriberOf } from '../http/networks.js';
import { createRateBuckets, type RateBuckets } from './buckets.js';
import { headersOf, usageOf, type Budget, type Share, type Usage } from './middleware.js';
import { KINDS, type BudgetKind } from '../credentials/kinds.js';
import { keyIdOf, type Principal } from '../credentials/index.js';

/** The budgets on which requests of a principal count. */
export interface Budgets {
  /** The buckets of each window, to be synchronised with other replicas. */
  readonly buckets: readonly RateBuckets[];
  /** The buckets of the window of a minute, for budgets of other subjects than credentials. */
  readonly perMinute: RateBuckets;
  /**
   * The shares on which a request counts, without unlimited ones.
   * @param address the address that the request came from
   */
  sharesOf(principal: Principal, address: () => string, now: number): Share[];
  /**
   * The usage of each budget. `apiKey` is `null` for credentials that are not keys. `share` is the part of the tenant's
   * budget for a token's app or account, and absent for keys.
   */
  usageOf(principal: Principal, address: () => string, now: number): UsageOfBudgets;
  /** The same, of shares that `sharesOf` found for this principal. */
  usageIn(principal: Principal, shares: readonly Share[], now: number): UsageOfBudgets;
  /** The usage of the budgets of a tenant in an environment: that of its servers and apps, and that of publishable keys. */
  tenantUsage(
    owner: BudgetOwner,
    now: number,
  ): { readonly tenant: UsageOrNoLimit; readonly publishable: UsageOrNoLimit };
}

/** The usage of the budgets of a principal, as `Budgets.usageOf` describes it. */
export interface UsageOfBudgets {
  readonly tenant: UsageOrNoLimit;
  readonly apiKey: UsageOrNoLimit | null;
  readonly share?: UsageOrNoLimit;
}

type BudgetOwner = Pick<Principal, 'tenantId' | 'environment'>;

/** Usage without a limit is not counted. */
export type UsageOrNoLimit =
  Usage | (Omit<Usage, 'limit' | 'remaining'> & { readonly limit: null; readonly remaining: null });

interface Limits {
  readonly tenantPerHour: number;
  readonly keyPerMinute: number;
  /** The part of the tenant's budget for one app, or for the personal tokens of one account. */
  readonly tokenSharePercent: number;
}

type BudgetName = 'tenant' | 'key' | 'share';

interface BudgetFacts {
  /** The limit that applies. */
  readonly of: BudgetName;
  readonly counts: Budget['counts'];
  idOf(principal: Principal, address: () => string): string;
}

/** Separates the budgets of environments, so that tests do not use up the budget of live servers. */
const ofEnvironment = (id: string, { environment }: Pick<Principal, 'environment'>) =>
  environment === 'live' ? id : `${id} ${environment}`;

const ofTenant = (owner: BudgetOwner) => ofEnvironment(owner.tenantId, owner);
const ofPublishable = (owner: BudgetOwner) => ofEnvironment(`${owner.tenantId} publishable`, owner);

/**
 * Publishable keys, tokens of one app, and personal tokens of one account have budgets that prevent them from using
 * up the budget of the tenant's servers.
 */
const BUDGETS: Readonly<Record<BudgetKind, BudgetFacts>> = {
  tenant: {
    of: 'tenant',
    counts: 'units',
    idOf: ofTenant,
  },
  publishable_tenant: {
    of: 'tenant',
    counts: 'units',
    idOf: ofPublishable,
  },
  client_share: {
    of: 'share',
    counts: 'units',
    idOf: (principal) =>
      ofEnvironment(`${principal.tenantId} ${principal.token?.clientId}`, principal),
  },
  account_share: {
    of: 'share',
    counts: 'units',
    idOf: (principal) => ofEnvironment(`${principal.tenantId} ${principal.principalId}`, principal),
  },
  key: { of: 'key', counts: 'requests', idOf: keyIdOf },
  key_and_address: {
    of: 'key',
    counts: 'requests',
    idOf: ({ credentialId }, address) => `${credentialId} ${subscriberOf(address())}`,
  },
};

/** Names of budgets in headers and refusals. Headers show a token's share as the key's budget. */
const WORDS = {
  tenant: { headers: headersOf('Tenant'), whose: "The tenant's budget" },
  key: { headers: headersOf('Key'), whose: "The key's budget" },
  share: {
    headers: headersOf('Key'),
    whose: "The share of this app or account in the tenant's budget",
  },
} as const;

/** The windows that budgets slide over, in seconds. */
const SECONDS = { hour: 3600, minute: 60 } as const;

export const BUDGET_WINDOWS: readonly number[] = Object.values(SECONDS);

/** @param limits the defaults; 0 is unlimited */
export function createBudgets(limits: Limits): Budgets {
  const hour = createRateBuckets(SECONDS.hour);
  const minute = createRateBuckets(SECONDS.minute);
  const windows = { tenant: hour, share: hour, key: minute };
  const budgets = budgetsIn(windows);

  // Rounded up, because a share of 0 would be unlimited.
  const share = Math.ceil((limits.tenantPerHour * limits.tokenSharePercent) / 100);
  const limitOf = (name: BudgetName, { rateLimitPerMinute }: Principal) => {
    if (name === 'key') return rateLimitPerMinute ?? limits.keyPerMinute;
    return name === 'tenant' ? limits.tenantPerHour : share;
  };

  const sharesOf: Budgets['sharesOf'] = (principal, address, now) => {
    const shares: Share[] = [];
    for (const kind of limitsOf(principal)) {
      const budget = budgets[kind];
      const limit = limitOf(budget.of, principal);
      if (limit === 0) continue;
      const id = budget.idOf(principal, address);
      shares.push({ budget, limit, bucket: budget.buckets.open(id, now) });
    }
    return shares;
  };

  const usageIn: Budgets['usageIn'] = (principal, shares, now) => {
    let tenant: UsageOrNoLimit | undefined;
    let apiKey: UsageOrNoLimit | null = null;
    let ofShare: UsageOrNoLimit | undefined;
    for (const kind of limitsOf(principal)) {
      const budget = budgets[kind];
      const counted = shares.find((share) => share.budget === budget);
      const usage = counted ? usageOf(counted, now) : withoutLimit(windows[budget.of]);
      if (budget.of === 'tenant') tenant = usage;
      else if (budget.of === 'key') apiKey = usage;
      else ofShare = usage;
    }
    tenant ??= withoutLimit(hour);
    return ofShare === undefined ? { tenant, apiKey } : { tenant, apiKey, share: ofShare };
  };

  const hourOf = (id: string, budget: Budget, now: number) => {
    const limit = limits.tenantPerHour;
    return limit === 0
      ? withoutLimit(hour)
      : usageOf({ budget, limit, bucket: hour.open(id, now) }, now);
  };

  return {
    buckets: [hour, minute],
    perMinute: minute,
    sharesOf,
    tenantUsage: (owner, now) => ({
      tenant: hourOf(ofTenant(owner), budgets.tenant, now),
      publishable: hourOf(ofPublishable(owner), budgets.publishable_tenant, now),
    }),
    usageOf: (principal, address, now) =>
      usageIn(principal, sharesOf(principal, address, now), now),
    usageIn,
  };
}

function budgetsIn(
  windows: Readonly<Record<BudgetName, RateBuckets>>,
): Readonly<Record<BudgetKind, Budget & BudgetFacts>> {
  const budgets = Object.entries(BUDGETS).map(([label, facts]) => [
    label,
    { ...facts, ...WORDS[facts.of], label, buckets: windows[facts.of] },
  ]);
  return Object.fromEntries(budgets) as Readonly<Record<BudgetKind, Budget & BudgetFacts>>;
}

/** The budgets on which a principal counts. A token that was issued for a key counts on those of the key. */
function limitsOf({ kind, exchanged }: Principal): readonly BudgetKind[] {
  return KINDS[exchanged?.keyKind ?? kind].limits;
}

function withoutLimit({ windowSeconds }: RateBuckets): UsageOrNoLimit {
  return { limit: null, used: 0, remaining: null, resetSeconds: 0, windowSeconds };
}
