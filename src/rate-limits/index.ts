import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { EntityManager } from 'typeorm';

import type { GuardedState, Principal } from '../credentials/index.js';
import type { BackgroundWork } from '../db/background-work.js';
import { BUDGET_WINDOWS, createBudgets } from './budgets.js';
import { createRateLimit, createSpending } from './middleware.js';
import { createReplicaSync, createSteadyClock } from './replica-sync.js';
import { createSessionLimit } from './session-limit.js';
import { createUsageRoutes } from './budget-routes.js';
import { createRateWindowStore } from './window-store.js';

/** The configuration of rate limits, by the names of its environment variables. */
interface Settings {
  readonly RATE_LIMIT_TENANT_PER_HOUR: number;
  readonly RATE_LIMIT_KEY_PER_MINUTE: number;
  readonly RATE_LIMIT_TOKEN_SHARE_PERCENT: number;
}

interface Dependencies {
  readonly settings: Settings;
  readonly manager: EntityManager;
  readonly clientAddress: (request: IncomingMessage) => string;
  /** Milliseconds since the epoch; a clock that never steps back, unless one is given. */
  readonly clock?: (() => number) | undefined;
  readonly register: Registry;
  readonly log: Logger;
  readonly work: BackgroundWork;
}

export type { UsageOfBudgets, UsageOrNoLimit } from './budgets.js';
export type { Share } from './middleware.js';

export type RateLimits = ReturnType<typeof createRateLimits>;

/** Composes the budgets of credentials and sessions, which replicas share. */
export function createRateLimits(dependencies: Dependencies) {
  const { settings, manager, clientAddress, clock, register, log, work } = dependencies;
  const budgets = createBudgets({
    tenantPerHour: settings.RATE_LIMIT_TENANT_PER_HOUR,
    keyPerMinute: settings.RATE_LIMIT_KEY_PER_MINUTE,
    tokenSharePercent: settings.RATE_LIMIT_TOKEN_SHARE_PERCENT,
  });
  const { now, sync } = createReplicaSync({
    store: createRateWindowStore(manager, BUDGET_WINDOWS),
    buckets: budgets.buckets,
    clock: clock ?? createSteadyClock(),
    log,
    work,
  });
  return {
    budgets,
    spend: createSpending(register),
    now,
    sync,
    /** Counts a request on the budgets of its credential. */
    limit: createRateLimit<GuardedState>({
      sharesOf: ({ state, req }, time) =>
        budgets.sharesOf(state.principal, () => clientAddress(req), time),
      now,
      register,
    }),
    limitSession: createSessionLimit({ now, register, buckets: budgets.perMinute }),
    /** The usage of a credential's budgets now. */
    usageOf: (principal: Principal, address: string) =>
      budgets.usageOf(principal, () => address, now()),
    /** The usage of a tenant's budgets now. */
    tenantUsage: (owner: Parameters<typeof budgets.tenantUsage>[0]) =>
      budgets.tenantUsage(owner, now()),
    routes: createUsageRoutes({ budgets, now, clientAddress }),
  };
}

export { type AddressLimit, createAddressLimit } from './address-limit.js';
export {
  type AttemptLimit,
  type AttemptStore,
  type AttemptVerdict,
  createAttemptStore,
} from './attempts.js';
export { BUDGET_WINDOWS } from './budgets.js';
export { writeHeaders } from './middleware.js';
export { usageAnswer } from './budget-routes.js';
export type { SessionLimit } from './session-limit.js';
export { deleteExpiredRateWindows } from './window-store.js';
