import type { Limits, Usage } from './types.js';

/**
 * The uses of a kept verdict since it was read. They are reported with the next question about the credential, so that
 * budgets count them, and no credential has to be remembered for it.
 */
export interface Uses {
  /**
   * Counts a use, if it need not be reported yet.
   * @returns whether it was counted
   */
  count(cost: number, time: number): boolean;
  /**
   * Takes the uses that are not reported yet, to be reported with a question. Others are counted on meanwhile.
   * @param room for units in the question
   */
  take(room: number, time: number): Unreported;
  /** Gives back uses that could not be reported. */
  giveBack(uses: Unreported): void;
  /** The budgets, with the uses since. */
  limits(time: number): Limits;
}

export interface Unreported {
  readonly units: number;
  readonly requests: number;
}

/** Uses are reported at least so often, while there are any. */
const REPORT_MS = 1000;
/** The part of what is left of a budget that may be used before it is reported. */
const PART = 8;
/** A question holds 10,000 units and requests at most. */
const MOST = 5000;

/** @param former the uses of the verdict that this one replaces */
export function createUses(limits: Limits, former: Uses | undefined): Uses {
  const readAt = performance.now();
  let dueAt = readAt + REPORT_MS;
  const { units: unitsLeft, requests: requestsLeft } = allowanceOf(limits);
  const isLimited = unitsLeft < Infinity || requestsLeft < Infinity;
  let { units, requests } = former?.take(Infinity, readAt) ?? { units: 0, requests: 0 };

  return {
    count(cost, time) {
      if (!isLimited || cost === 0) return true;
      const isDue = time >= dueAt || units + cost > unitsLeft || requests + 1 > requestsLeft;
      if (isDue) return false;
      units += cost;
      requests += 1;
      return true;
    },
    take(room, time) {
      dueAt = time + REPORT_MS;
      const taken = { units: Math.min(units, room), requests };
      units -= taken.units;
      requests = 0;
      return taken;
    },
    giveBack(uses) {
      units += uses.units;
      requests += uses.requests;
    },
    limits(time) {
      if (!isLimited) return limits;
      const age = time - readAt;
      const { tenant, apiKey, share } = limits;
      return {
        tenant: afterUse(tenant, units, age),
        apiKey: apiKey && afterUse(apiKey, requests, age),
        ...(share && { share: afterUse(share, units, age) }),
      };
    },
  };
}

function allowanceOf({ tenant, apiKey, share }: Limits): Unreported {
  const partOf = (usage: Usage | null | undefined) =>
    usage?.remaining == null ? Infinity : Math.floor(usage.remaining / PART);
  const left = Math.min(partOf(tenant), partOf(share));
  return {
    units: left === Infinity ? left : Math.min(MOST, left),
    requests: apiKey === null || apiKey.limit === null ? Infinity : Math.min(MOST, partOf(apiKey)),
  };
}

function afterUse(usage: Usage, used: number, ageMs: number): Usage {
  if (usage.limit === null || usage.remaining === null) return usage;
  return {
    ...usage,
    used: usage.used + used,
    remaining: Math.max(0, usage.remaining - used),
    resetSeconds: Math.max(0, usage.resetSeconds - Math.floor(ageMs / 1000)),
  };
}
