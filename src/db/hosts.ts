import { setTimeout as sleep } from 'node:timers/promises';

import { errorCode, errorMessage } from './errors.js';
import type { Host } from './url.js';

/** A dead host answers nothing, and is given up after this. */
const PROBES_WITHIN_MS = 1000;

/** Chooses among several servers the one that takes writes. */
export interface Hosts {
  /**
   * The server that took writes when it was last asked.
   * @throws Error with a code of class 08 if there is none
   */
  choose(): Promise<Host>;
  /** To be told when it could not be used: the next choice asks all of them. */
  forget(host: Host): void;
}

/**
 * @param hosts at least one; the first that takes writes is chosen. A single one is never probed
 * @param probe rejects, in words, unless the server takes writes
 */
export function createHosts(
  hosts: readonly [Host, ...Host[]],
  probe: (host: Host) => Promise<void>,
): Hosts {
  const [first, ...others] = hosts;
  let chosen: Promise<Host> | undefined = others.length === 0 ? Promise.resolve(first) : undefined;
  let current: Host | undefined;

  async function find(): Promise<Host> {
    const faults = new Map<Host, unknown>();
    const usable = new Set<Host>();
    const probes = hosts.map(async (host) => {
      await probe(host).then(
        () => usable.add(host),
        (error: unknown) => faults.set(host, error),
      );
    });
    // All at once, so that a dead one costs no more than this. Their order decides: whatever comes later waits.
    const inTime = new AbortController();
    const patience = sleep(PROBES_WITHIN_MS, undefined, { signal: inTime.signal }).catch(
      () => undefined,
    );
    try {
      for (const [index, host] of hosts.entries()) {
        await Promise.race([probes[index], patience]);
        if (usable.has(host)) return host;
      }
    } finally {
      inTime.abort();
    }
    const reasons = hosts.map((host) => `${nameOf(host)}: ${reasonOf(faults.get(host))}`);
    const error = new Error(`no server takes writes (${reasons.join('; ')})`);
    throw Object.assign(error, { code: '08001' });
  }

  return {
    choose() {
      chosen ??= find().then(
        (host) => (current = host),
        (error: unknown) => {
          chosen = undefined;
          throw error;
        },
      );
      return chosen;
    },
    forget(host) {
      if (host === current) chosen = current = undefined;
    },
  };
}

/** Such as `db1:5432`; a socket by its folder. */
export function nameOf({ host, port }: Host): string {
  return `${host ?? 'localhost'}:${port ?? 5432}`;
}

function reasonOf(error: unknown): string {
  if (error === undefined) return 'does not answer';
  return errorMessage(error) || (errorCode(error) ?? 'unknown reason');
}
