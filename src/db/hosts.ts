import { setTimeout as sleep } from 'node:timers/promises';

import { errorCode, errorMessage } from './errors.js';
import type { Host } from './url.js';

/** The time after which a probe of an unresponsive host is abandoned. */
const PROBES_WITHIN_MS = 1000;

/** Chooses the server that accepts writes among several. */
export interface Hosts {
  /**
   * The server that accepted writes in the latest probe.
   * @throws Error with a code of class 08 if no server does
   */
  choose(): Promise<Host>;
  /** Reports that a server could not be used. The next choice probes all servers. */
  forget(host: Host): void;
}

/**
 * @param hosts the first that accepts writes is chosen. A single one is never probed
 * @param probe rejects with a readable message unless the server accepts writes
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
    // All are probed at once, so that dead ones cost one timeout. The first in the configured order wins.
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

/** Formats a server as `db1:5432`, and a socket by its folder. */
export function nameOf({ host, port }: Host): string {
  return `${host ?? 'localhost'}:${port ?? 5432}`;
}

function reasonOf(error: unknown): string {
  if (error === undefined) return 'does not answer';
  return errorMessage(error) || (errorCode(error) ?? 'unknown reason');
}
