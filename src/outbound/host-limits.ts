/** Requests in flight, in all and to one host, and the longest pause. */
const USUAL = { inFlight: 32, perHost: 4, maxPauseMs: 300_000 };
/** The pause after the first failure of a host. It doubles with each further failure. */
const FIRST_PAUSE_MS = 1000;
/** Hosts whose failures are remembered. Beyond it, the oldest one is forgotten. */
const MAX_HOSTS = 1000;

interface Failures {
  readonly count: number;
  /** By the clock of the limits. */
  readonly until: number;
}

/** A request that was admitted. `end` must be called once. */
export interface Admission {
  /** @param isHostAtFault whether the host did not answer, or answered that it is overloaded */
  end(isHostAtFault: boolean): void;
}

/** Limits of outbound requests: their number at a time, and a growing pause after failures of a host. */
export interface HostLimits {
  /** @returns the reason of a refusal: too many requests in flight, or the host's pause */
  admit(host: string): Admission | 'busy' | 'paused';
  /** Requests in flight. */
  active(): number;
}

/** @param now milliseconds of a monotonic clock */
export function createHostLimits(now: () => number, limits = USUAL): HostLimits {
  const inFlight = new Map<string, number>();
  /** Ordered by the last failure. */
  const failures = new Map<string, Failures>();
  let active = 0;

  function noteFailure(host: string): void {
    const count = (failures.get(host)?.count ?? 0) + 1;
    const pause = Math.min(limits.maxPauseMs, FIRST_PAUSE_MS * 2 ** (count - 1));
    failures.delete(host);
    failures.set(host, { count, until: now() + pause });
    const [oldest] = failures.keys();
    if (failures.size > MAX_HOSTS && oldest !== undefined) failures.delete(oldest);
  }

  return {
    active: () => active,
    admit(host) {
      if (now() < (failures.get(host)?.until ?? -Infinity)) return 'paused';
      const ofHost = inFlight.get(host) ?? 0;
      if (active >= limits.inFlight || ofHost >= limits.perHost) return 'busy';
      active += 1;
      inFlight.set(host, ofHost + 1);
      return {
        end(isHostAtFault) {
          active -= 1;
          const left = (inFlight.get(host) ?? 1) - 1;
          if (left === 0) inFlight.delete(host);
          else inFlight.set(host, left);
          if (isHostAtFault) noteFailure(host);
          else failures.delete(host);
        },
      };
    },
  };
}
