import type { Outbound } from '../../outbound/index.js';
import { freshSecondsOf } from '../documents/freshness.js';
import { PATIENCE_MS, within } from '../patience.js';
import { readPublicKeys, type PublicKey } from './public-keys.js';

/** Key sets of clients, fetched from their `jwks_uri`. */
export interface RemoteKeys {
  /**
   * @param failed the keys of an earlier call that did not fit: they are fetched again, but not twice within a minute
   * @returns the keys; `failed` itself if there are no newer ones; empty if they cannot be fetched
   */
  find(uri: string, failed?: readonly PublicKey[]): Promise<readonly PublicKey[]>;
  /** Seconds since the keys were fetched. */
  ageOf(uri: string): number;
}

interface KnownKeys {
  /** Empty if they were never fetched. */
  readonly keys: readonly PublicKey[];
  readonly fetchedAt: number;
  /** The last attempt, successful or not. */
  readonly triedAt: number;
  readonly freshUntil: number;
}

const MAX_BYTES = 32 * 1024;
const MEDIA_TYPES = ['application/jwk-set+json', 'application/json'];
/** The pause between two fetches because no key fits, and after one that failed. */
const REFETCH_MS = 60_000;
const RETRY_MS = 10_000;
/** How long keys are used while they cannot be fetched again. */
const MAX_AGE_MS = 24 * 3_600_000;
/** Beyond it, the least recently fetched one is forgotten. */
const MAX_SETS = 1000;

/** @param now milliseconds of a monotonic clock */
export function createRemoteKeys(outbound: Outbound, now: () => number): RemoteKeys {
  /** Ordered by their fetch. */
  const known = new Map<string, KnownKeys>();
  const flights = new Map<string, Promise<void>>();

  function remember(uri: string, held: KnownKeys): void {
    known.delete(uri);
    known.set(uri, held);
    const [oldest] = known.keys();
    if (known.size > MAX_SETS && oldest !== undefined) known.delete(oldest);
  }

  async function fetchKeys(uri: string): Promise<void> {
    const answer = await outbound.fetch({
      url: uri,
      purpose: 'jwks',
      mediaTypes: MEDIA_TYPES,
      maxBytes: MAX_BYTES,
    });
    const keys = answer.outcome === 'fetched' ? readPublicKeys(parse(answer.body)) : undefined;
    const triedAt = now();
    if (answer.outcome === 'failed' || keys === undefined || typeof keys === 'string') {
      const { keys: former = [], fetchedAt = -Infinity } = known.get(uri) ?? {};
      remember(uri, { keys: former, fetchedAt, triedAt, freshUntil: triedAt + RETRY_MS });
      return;
    }
    const freshUntil = triedAt + 1000 * freshSecondsOf(answer.headers, Date.now());
    remember(uri, { keys, fetchedAt: triedAt, triedAt, freshUntil });
  }

  function fetchOnce(uri: string): Promise<void> {
    let flight = flights.get(uri);
    if (flight === undefined) {
      flight = fetchKeys(uri).finally(() => flights.delete(uri));
      flights.set(uri, flight);
    }
    return flight;
  }

  return {
    async find(uri, failed) {
      const held = known.get(uri);
      const isFresh = held !== undefined && now() < held.freshUntil;
      const isNewer = held !== undefined && held.keys !== failed;
      const isRecent = held !== undefined && now() < held.triedAt + REFETCH_MS;
      if (!isFresh || (!isNewer && !isRecent)) {
        const canContinue = failed === undefined && held !== undefined && held.keys.length > 0;
        await (canContinue ? within(PATIENCE_MS, fetchOnce(uri)) : fetchOnce(uri));
      }
      const current = known.get(uri);
      return current === undefined || now() > current.fetchedAt + MAX_AGE_MS ? [] : current.keys;
    },
    ageOf: (uri) => Math.max(0, now() - (known.get(uri)?.fetchedAt ?? now())) / 1000,
  };
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
