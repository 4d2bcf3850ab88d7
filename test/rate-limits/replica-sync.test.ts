import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';

import { createBackgroundWork } from '../../src/db/background-work.js';
import { createRateBuckets } from '../../src/rate-limits/buckets.js';
import { createReplicaSync } from '../../src/rate-limits/replica-sync.js';
import { createRateWindowStore, type RateWindowStore } from '../../src/rate-limits/window-store.js';
import { createLog } from '../../src/server/log.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const MINUTE = 60;
const HOUR = 3600;

describe('the sync between replicas', () => {
  const gatehouse = useGatehouse();
  let id: string;
  let logged: string[];
  beforeEach(() => {
    [id, logged] = [randomUUID(), []];
  });
  afterEach(() => gatehouse.database.shiftClock('0'));

  /** The parts of a replica that count. */
  const createReplica = ({
    clock = Date.now,
    store = createRateWindowStore(gatehouse.dataSource.manager, [HOUR, MINUTE]),
  }: { clock?: () => number; store?: RateWindowStore } = {}) => {
    const buckets = [createRateBuckets(HOUR), createRateBuckets(MINUTE)] as const;
    const destination = { write: (line: string) => void logged.push(line) };
    const log = createLog({ level: 'info', brand: 'bwp', destination });
    const work = createBackgroundWork(new Registry());
    const { now, sync } = createReplicaSync({ store, buckets, clock, log, work });
    const of = (window: number) => buckets[window === HOUR ? 0 : 1];
    return {
      buckets,
      now,
      sync,
      count: (units: number, name = id, window = MINUTE) =>
        of(window).add(of(window).open(name, now()), units),
      used: (name = id, window = MINUTE) => of(window).open(name, now()).used,
    };
  };
  const rows = () =>
    gatehouse.database.query(
      'SELECT units::int, window_seconds AS window FROM rate_windows WHERE bucket = $1',
      [id],
    );

  it('gives every replica the sum of all counts', async () => {
    const replicas = [createReplica(), createReplica(), createReplica()];
    for (let round = 1; round <= 5; round += 1) {
      for (const replica of replicas) replica.count(round);
      await Promise.all(replicas.map(({ sync }) => sync()));
    }
    for (const { sync } of replicas) await sync();
    expect(replicas.map(({ used }) => used())).toEqual([45, 45, 45]);
  });

  it('fetches buckets that the replica has never seen', async () => {
    const [one, other] = [createReplica(), createReplica()];
    await other.sync();
    one.count(7);
    await one.sync();
    await other.sync();
    expect(other.used()).toBe(7);
  });

  it('keeps windows of different length apart', async () => {
    const [one, other] = [createReplica(), createReplica()];
    one.count(7, id, HOUR);
    await one.sync();
    await other.sync();
    expect([other.used(id, HOUR), other.used(id, MINUTE)]).toEqual([7, 0]);
  });

  it('counts nothing twice under repeated and concurrent syncs', async () => {
    const [one, other] = [createReplica(), createReplica()];
    let counted = 0;
    for (let round = 0; round < 20; round += 1) {
      const running = [one.sync(), other.sync(), one.sync()];
      one.count(1);
      other.count(2);
      counted += 3;
      await Promise.all(running);
    }
    for (const { sync } of [one, other, one, other]) await sync();
    expect([one.used(), other.used()]).toEqual([counted, counted]);
    expect((await rows()).reduce((sum, { units }) => sum + Number(units), 0)).toBe(counted);
  });

  it('gives a restarted replica the counts from before its start', async () => {
    const before = createReplica();
    before.count(9);
    await before.sync();
    // Beyond the time that is read again.
    await gatehouse.database.query(
      `UPDATE rate_windows SET changed_at = changed_at - interval '10 seconds'`,
    );

    const started = createReplica();
    await started.sync();
    expect(started.used()).toBe(0);
    await started.sync();
    expect(started.used()).toBe(9);
  });

  it('writes one row per slot, and none while nothing is counted', async () => {
    const replica = createReplica();
    for (let n = 0; n < 50; n += 1) replica.count(1, id, HOUR);
    await replica.sync();
    replica.count(1, id, HOUR);
    await replica.sync();
    await replica.sync();
    expect(await rows()).toEqual([{ units: 51, window: HOUR }]);
  });

  it('publishes more buckets than fit into a statement', async () => {
    const [one, other] = [createReplica(), createReplica()];
    for (let n = 0; n < 5001; n += 1) one.count(n + 1, `${id} ${n}`);
    await one.sync();
    await other.sync();
    for (const n of [0, 2500, 5000]) expect(other.used(`${id} ${n}`)).toBe(n + 1);
  });

  it('counts alone while the database is away, logs that once, and publishes later', async () => {
    const [one, other] = [createReplica(), createReplica()];
    await gatehouse.database.lock();
    one.count(3, id, HOUR);
    await one.sync();
    one.count(4, id, HOUR);
    await one.sync();
    expect(one.used(id, HOUR)).toBe(7);
    await gatehouse.database.unlock();

    await one.sync();
    await one.sync();
    await other.sync();
    expect(other.used(id, HOUR)).toBe(7);
    const messages = logged.map((line) => JSON.parse(line));
    expect(messages.map(({ level, msg }) => [level, msg])).toEqual([
      ['warn', 'budgets cannot be shared: each replica counts alone'],
      ['info', 'budgets are shared with the other replicas again'],
    ]);
  });

  it.each(['now', 'publish', 'fetchSince', 'fetchFor'] as const)(
    'loses nothing when %s fails',
    async (method) => {
      const store = createRateWindowStore(gatehouse.dataSource.manager, [HOUR, MINUTE]);
      let isBroken = true;
      const broken: RateWindowStore = {
        ...store,
        [method]: async (value: never) => {
          if (isBroken) throw new Error('away');
          return store[method](value);
        },
      };
      const [one, other] = [createReplica({ store: broken }), createReplica()];
      other.count(5);
      await other.sync();
      // Beyond the time that is read again.
      await gatehouse.database.query(
        `UPDATE rate_windows SET changed_at = changed_at - interval '10 seconds'`,
      );
      one.count(2);
      await one.sync();
      isBroken = false;
      await one.sync();
      await other.sync();
      expect([one.used(), other.used()]).toEqual([7, 7]);
    },
  );

  it('publishes again without counting twice when the answer of the first attempt was lost', async () => {
    const store = createRateWindowStore(gatehouse.dataSource.manager, [HOUR, MINUTE]);
    let isLost = true;
    const publish: RateWindowStore['publish'] = async (counted) => {
      await store.publish(counted);
      if (isLost) throw new Error('the answer was lost');
    };
    const [one, other] = [createReplica({ store: { ...store, publish } }), createReplica()];
    one.count(5);
    await one.sync();
    isLost = false;
    await one.sync();
    await other.sync();
    expect([one.used(), other.used()]).toEqual([5, 5]);
  });

  it('keeps its own counts when a crash empties the table', async () => {
    const replica = createReplica();
    replica.count(5, id, HOUR);
    await replica.sync();
    await gatehouse.database.query('TRUNCATE rate_windows');
    replica.count(2, id, HOUR);
    await replica.sync();
    expect(replica.used(id, HOUR)).toBe(7);
  });

  it("corrects its clock by the database's, so that replicas share slots", async () => {
    const [early, late] = [
      createReplica({ clock: () => Date.now() - 600_000 }),
      createReplica({ clock: () => Date.now() + 86_400_000 }),
    ];
    for (const { sync, count } of [early, late]) {
      await sync();
      count(3);
    }
    for (const { sync } of [early, late, early]) await sync();
    expect([early.used(), late.used()]).toEqual([6, 6]);
    for (const { now } of [early, late]) expect(Math.abs(now() - Date.now())).toBeLessThan(1000);
  });

  it('ignores slots of a replica whose clock is far ahead', async () => {
    const replica = createReplica();
    replica.count(5, id, HOUR);
    const ahead = Array.from({ length: 40 }, (_, n) => n);
    await createRateWindowStore(gatehouse.dataSource.manager, [HOUR, MINUTE]).publish({
      windowSeconds: HOUR,
      buckets: ahead.map(() => id),
      units: ahead.map(() => 1),
      endsAt: ahead.map((slots) => (Math.floor(Date.now() / 18e4) + 20 + slots) * 18e4),
    });
    await replica.sync();
    expect(replica.used(id, HOUR)).toBe(5 + 2);
  });

  it('slides the counts of other replicas like its own', async () => {
    const shift = { ms: 0 };
    const clock = () => Date.now() + shift.ms;
    const [one, other] = [createReplica({ clock }), createReplica({ clock })];
    const pass = async (seconds: number) => {
      shift.ms += seconds * 1000;
      await gatehouse.database.shiftClock(`${shift.ms / 1000} seconds`);
    };
    one.count(3);
    await one.sync();
    await pass(40);
    one.count(4);
    await one.sync();
    await other.sync();
    await other.sync();
    expect(other.used()).toBe(7);
    await pass(21);
    expect([one.used(), other.used()]).toEqual([4, 4]);
    await pass(40);
    expect([one.used(), other.used()]).toEqual([0, 0]);
  });
});
