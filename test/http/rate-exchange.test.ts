import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import { createRateBuckets } from '../../src/http/rate-buckets.js';
import { createRateExchange } from '../../src/http/rate-exchange.js';
import { createRateWindowStore, type RateWindowStore } from '../../src/http/rate-window-store.js';
import { createLog } from '../../src/log.js';
import { createTestApp, type TestApp } from '../support/app.js';

const MINUTE = 60;
const HOUR = 3600;

describe('the exchange between replicas', () => {
  let gatehouse: TestApp;
  let id: string;
  let logged: string[];
  beforeAll(async () => {
    gatehouse = await createTestApp();
  });
  afterAll(() => gatehouse.close());
  beforeEach(() => {
    [id, logged] = [randomUUID(), []];
  });
  afterEach(() => gatehouse.database.shiftClock('0'));

  /** As much of a replica as counts. */
  const createReplica = ({
    clock = Date.now,
    store = createRateWindowStore(gatehouse.dataSource.manager, [HOUR, MINUTE]),
  }: { clock?: () => number; store?: RateWindowStore } = {}) => {
    const buckets = [createRateBuckets(HOUR), createRateBuckets(MINUTE)] as const;
    const destination = { write: (line: string) => void logged.push(line) };
    const log = createLog({ level: 'info', brand: 'bwp', destination });
    const { now, exchange } = createRateExchange({ store, buckets, clock, log });
    const of = (window: number) => buckets[window === HOUR ? 0 : 1];
    return {
      ...{ buckets, now, exchange },
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

  it('makes all of them know what each has counted', async () => {
    const replicas = [createReplica(), createReplica(), createReplica()];
    for (let round = 1; round <= 5; round += 1) {
      for (const replica of replicas) replica.count(round);
      await Promise.all(replicas.map(({ exchange }) => exchange()));
    }
    for (const { exchange } of replicas) await exchange();
    expect(replicas.map(({ used }) => used())).toEqual([45, 45, 45]);
  });

  it('tells of buckets that another replica has never seen', async () => {
    const [one, other] = [createReplica(), createReplica()];
    await other.exchange();
    one.count(7);
    await one.exchange();
    await other.exchange();
    expect(other.used()).toBe(7);
  });

  it('leaves windows apart', async () => {
    const [one, other] = [createReplica(), createReplica()];
    one.count(7, id, HOUR);
    await one.exchange();
    await other.exchange();
    expect([other.used(id, HOUR), other.used(id, MINUTE)]).toEqual([7, 0]);
  });

  it('counts nothing twice, however often it happens and however many happen at once', async () => {
    const [one, other] = [createReplica(), createReplica()];
    let counted = 0;
    for (let round = 0; round < 20; round += 1) {
      const running = [one.exchange(), other.exchange(), one.exchange()];
      one.count(1);
      other.count(2);
      counted += 3;
      await Promise.all(running);
    }
    for (const { exchange } of [one, other, one, other]) await exchange();
    expect([one.used(), other.used()]).toEqual([counted, counted]);
    expect((await rows()).reduce((sum, { units }) => sum + Number(units), 0)).toBe(counted);
  });

  it('gives a replica that starts anew what was counted before', async () => {
    const before = createReplica();
    before.count(9);
    await before.exchange();
    // Long enough ago to be no news.
    await gatehouse.database.query(
      `UPDATE rate_windows SET changed_at = changed_at - interval '10 seconds'`,
    );

    const started = createReplica();
    await started.exchange();
    expect(started.used()).toBe(0);
    await started.exchange();
    expect(started.used()).toBe(9);
  });

  it('writes one row for what was counted in a slot, and nothing while nothing is', async () => {
    const replica = createReplica();
    for (let n = 0; n < 50; n += 1) replica.count(1, id, HOUR);
    await replica.exchange();
    replica.count(1, id, HOUR);
    await replica.exchange();
    await replica.exchange();
    expect(await rows()).toEqual([{ units: 51, window: HOUR }]);
  });

  it('copes with more buckets than fit into a statement', async () => {
    const [one, other] = [createReplica(), createReplica()];
    for (let n = 0; n < 5001; n += 1) one.count(n + 1, `${id} ${n}`);
    await one.exchange();
    await other.exchange();
    for (const n of [0, 2500, 5000]) expect(other.used(`${id} ${n}`)).toBe(n + 1);
  });

  it('goes on alone while the database is away, says so once, and tells later', async () => {
    const [one, other] = [createReplica(), createReplica()];
    await gatehouse.database.lock();
    one.count(3, id, HOUR);
    await one.exchange();
    one.count(4, id, HOUR);
    await one.exchange();
    expect(one.used(id, HOUR)).toBe(7);
    await gatehouse.database.unlock();

    await one.exchange();
    await one.exchange();
    await other.exchange();
    expect(other.used(id, HOUR)).toBe(7);
    const messages = logged.map((line) => JSON.parse(line));
    expect(messages.map(({ level, msg }) => [level, msg])).toEqual([
      ['warn', 'budgets cannot be shared: each replica counts alone'],
      ['info', 'budgets are shared with the other replicas again'],
    ]);
  });

  it.each(['now', 'tell', 'heardSince', 'heardOf'] as const)(
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
      await other.exchange();
      // Long enough ago to be no news.
      await gatehouse.database.query(
        `UPDATE rate_windows SET changed_at = changed_at - interval '10 seconds'`,
      );
      one.count(2);
      await one.exchange();
      isBroken = false;
      await one.exchange();
      await other.exchange();
      expect([one.used(), other.used()]).toEqual([7, 7]);
    },
  );

  it('tells all of it again without counting it twice when it is not known whether it was told', async () => {
    const store = createRateWindowStore(gatehouse.dataSource.manager, [HOUR, MINUTE]);
    let isLost = true;
    const tell: RateWindowStore['tell'] = async (counted) => {
      await store.tell(counted);
      if (isLost) throw new Error('the answer was lost');
    };
    const [one, other] = [createReplica({ store: { ...store, tell } }), createReplica()];
    one.count(5);
    await one.exchange();
    isLost = false;
    await one.exchange();
    await other.exchange();
    expect([one.used(), other.used()]).toEqual([5, 5]);
  });

  it('survives that the table is emptied by a crash', async () => {
    const replica = createReplica();
    replica.count(5, id, HOUR);
    await replica.exchange();
    await gatehouse.database.query('TRUNCATE rate_windows');
    replica.count(2, id, HOUR);
    await replica.exchange();
    expect(replica.used(id, HOUR)).toBe(7);
  });

  it("goes by the database's clock, so that replicas agree on what belongs together", async () => {
    const [early, late] = [
      createReplica({ clock: () => Date.now() - 600_000 }),
      createReplica({ clock: () => Date.now() + 86_400_000 }),
    ];
    for (const { exchange, count } of [early, late]) {
      await exchange();
      count(3);
    }
    for (const { exchange } of [early, late, early]) await exchange();
    expect([early.used(), late.used()]).toEqual([6, 6]);
    for (const { now } of [early, late]) expect(Math.abs(now() - Date.now())).toBeLessThan(1000);
  });

  it('does not let time jump because of what a clock far ahead has counted', async () => {
    const replica = createReplica();
    replica.count(5, id, HOUR);
    const slots = Array.from({ length: 40 }, (_, ahead) => ({
      ...{ bucket: id, windowSeconds: HOUR, units: 1 },
      endsAt: (Math.floor(Date.now() / 180_000) + 20 + ahead) * 180_000,
    }));
    await createRateWindowStore(gatehouse.dataSource.manager, [HOUR, MINUTE]).tell(slots);
    await replica.exchange();
    expect(replica.used(id, HOUR)).toBe(5 + 2);
  });

  it('slides what others have counted like its own', async () => {
    const shift = { ms: 0 };
    const clock = () => Date.now() + shift.ms;
    const [one, other] = [createReplica({ clock }), createReplica({ clock })];
    const pass = async (seconds: number) => {
      shift.ms += seconds * 1000;
      await gatehouse.database.shiftClock(`${shift.ms / 1000} seconds`);
    };
    one.count(3);
    await one.exchange();
    await pass(40);
    one.count(4);
    await one.exchange();
    await other.exchange();
    await other.exchange();
    expect(other.used()).toBe(7);
    await pass(21);
    expect([one.used(), other.used()]).toEqual([4, 4]);
    await pass(40);
    expect([one.used(), other.used()]).toEqual([0, 0]);
  });
});
