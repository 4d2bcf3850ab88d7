import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import { createGuard, type Freshness, type Guard } from '../../src/guard/index.js';
import type { TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { inParallel } from '../support/app/parallel.js';
import { until } from '../support/app/until.js';
import { startFeedProxy, type FeedProxy } from '../support/guard/feed-proxy.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';

const STALE_MS = 1000;
const ROUNDS = 500;
const EACH = 200;
const KEYS = 20;

describe('the guard package over two replicas', () => {
  const replicas = useTwoReplicas();
  let credential: string;
  let proxy: FeedProxy;
  const guards: Guard[] = [];
  beforeAll(async () => {
    const { gatehouse, tenant } = replicas;
    credential = (await createCredential(gatehouse, tenant, 'service', ['introspect'])).secret;
    proxy = await startFeedProxy(replicas.b.origin);
  });
  afterEach(() => {
    proxy.lag(0);
    guards.splice(0).forEach((guard) => guard.close());
  });
  afterAll(() => proxy.close());

  const create = (url: string, freshness: Freshness) => {
    const { ISSUER: issuer } = replicas.gatehouse.config;
    const guard = createGuard({ issuer, url, credential, freshness, onError: () => undefined });
    guards.push(guard);
    return guard;
  };
  const createKeys = (count: number) =>
    Promise.all(Array.from({ length: count }, () => replicas.gatehouse.createKey(replicas.tenant)));
  const revoke = ({ id }: TestKey) =>
    replicas.gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(id, 'operator', null),
    );
  /**
   * @returns whether it was accepted; undefined if Gatehouse could not be asked
   * @throws Error if it was refused for anything but its revocation
   */
  const isAccepted = async (guard: Guard, { secret }: TestKey) => {
    const judged = await guard.judge({ credential: secret }).catch(() => undefined);
    if (judged === undefined || judged.verdict.active) return judged?.verdict.active;
    if (judged.verdict.status !== 401) throw new Error(JSON.stringify(judged.verdict));
    return false;
  };

  it(`accepts none of ${ROUNDS * EACH} credentials after their revocation if it is exact`, async () => {
    const both = [create(replicas.a.origin, 'exact'), create(replicas.b.origin, 'exact')];
    const counts = { before: 0, refused: 0, accepted: 0, lost: 0 };
    await inParallel(ROUNDS, 4, async () => {
      const key = (await createKeys(1))[0] as TestKey;
      const ask = (count: number) =>
        Promise.all(
          both.flatMap((guard) => Array.from({ length: count / 2 }, () => isAccepted(guard, key))),
        );
      const before = await ask(2);
      counts.before += before.filter(Boolean).length;
      // Questions that are on their way may have either answer. None of them may change those of later ones.
      const meanwhile = ask(20);
      await revoke(key);
      for (const accepted of await ask(EACH)) {
        if (accepted === undefined) counts.lost += 1;
        else if (accepted) counts.accepted += 1;
        else counts.refused += 1;
      }
      await meanwhile;
    });
    expect(counts).toEqual({ before: 2 * ROUNDS, refused: ROUNDS * EACH, accepted: 0, lost: 0 });
  }, 240_000);

  describe(`with maxStaleMs ${STALE_MS}`, () => {
    /**
     * Uses keys without a pause, revokes them while a fault is there, and measures how long after its commit each was
     * accepted for the last time.
     *
     * @returns the longest of these times, and the numbers of uses
     */
    async function measure(fault: () => void, mend: () => void = () => undefined) {
      const guard = create(proxy.origin, { maxStaleMs: STALE_MS });
      const keys = await createKeys(KEYS);
      const revokedAt = new Map<TestKey, number>();
      const seen = { uses: 0, accepted: 0, refused: 0, lost: 0, longest: 0 };
      let isOver = false;
      const use = async (key: TestKey) => {
        while (!isOver) {
          const accepted = await isAccepted(guard, key);
          const since = performance.now() - (revokedAt.get(key) ?? Infinity);
          seen.uses += 1;
          if (accepted === undefined) seen.lost += 1;
          else if (!accepted) seen.refused += 1;
          else {
            seen.accepted += 1;
            seen.longest = Math.max(seen.longest, since);
          }
          await new Promise(setImmediate);
        }
      };
      const running = Promise.all(keys.map(use));
      // Verdicts are kept: uses are faster than questions could be.
      await until(() => seen.accepted > 20_000, { withinMs: 20_000 });
      fault();
      for (const key of keys) {
        await revoke(key);
        revokedAt.set(key, performance.now());
        const next = performance.now() + 50;
        await until(() => performance.now() > next);
      }
      const end = performance.now() + 2 * STALE_MS;
      await until(() => performance.now() > end);
      mend();
      await until(async () => (await isAccepted(guard, keys[0] as TestKey)) === false, {
        withinMs: 20_000,
      });
      isOver = true;
      await running;
      return seen;
    }

    it('drops verdicts by the feed', async () => {
      const { longest, refused, lost } = await measure(() => undefined);
      expect(longest).toBeLessThan(STALE_MS);
      expect(refused).toBeGreaterThan(0);
      expect(lost).toBe(0);
    }, 60_000);

    it.each([
      [
        'is cut again and again',
        () => {
          const timer = setInterval(() => proxy.cut(), 30);
          return () => clearInterval(timer);
        },
      ],
      [
        'is silent',
        () => {
          proxy.stall();
          return () => undefined;
        },
      ],
      [
        'lags by less than that',
        () => {
          proxy.lag(0.7 * STALE_MS);
          return () => proxy.lag(0);
        },
      ],
      [
        'lags by more than that',
        () => {
          proxy.lag(3 * STALE_MS);
          return () => proxy.lag(0);
        },
      ],
    ] as const)(
      'accepts none later than that if the feed %s',
      async (_, begin) => {
        let mend = (): void => undefined;
        const { longest, refused } = await measure(
          () => {
            mend = begin();
          },
          () => mend(),
        );
        expect(longest).toBeLessThanOrEqual(STALE_MS);
        expect(refused).toBeGreaterThan(0);
      },
      60_000,
    );

    it('accepts none later than that if the server stands still', async () => {
      const { pid } = replicas.b;
      const { longest, lost } = await measure(
        () => process.kill(pid, 'SIGSTOP'),
        () => process.kill(pid, 'SIGCONT'),
      );
      expect(longest).toBeLessThanOrEqual(STALE_MS);
      expect(lost).toBeGreaterThan(0);
    }, 60_000);
  });

  it('accepts nothing from a server that is gone', async () => {
    const guard = create(replicas.b.origin, { maxStaleMs: STALE_MS });
    const exact = create(replicas.b.origin, 'exact');
    const key = (await createKeys(1))[0] as TestKey;
    let accepted = 0;
    await until(async () => {
      for (let use = 0; use < 500; use += 1) if (await isAccepted(guard, key)) accepted += 1;
      return accepted > 5000;
    });
    await replicas.b.end('SIGKILL');
    const goneAt = performance.now();
    expect(await isAccepted(exact, key)).toBe(undefined);
    await until(async () => (await isAccepted(guard, key)) === undefined);
    expect(performance.now() - goneAt).toBeLessThanOrEqual(STALE_MS);
    await inParallel(2000, 20, async () => {
      expect(await isAccepted(guard, key)).toBe(undefined);
    });
  }, 60_000);
});
