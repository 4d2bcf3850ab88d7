import { describe, expect, it } from '@jest/globals';

import {
  createChangeFeed,
  type Subscriber,
} from '../../src/verify-endpoints/changes/change-feed.js';
import type { ChangeReading } from '../../src/verify-endpoints/changes/change-reader.js';
import { until } from '../support/app/until.js';

const SILENT: Subscriber = { onRead: () => undefined, onGap: () => undefined };

describe('the feed of changes in a process', () => {
  it('is read once for all subscribers, and only while there are any', async () => {
    const since: (string | undefined)[] = [];
    const read = async (snapshot: string | undefined): Promise<ChangeReading> => {
      since.push(snapshot);
      return { snapshot: String(since.length), changes: [] };
    };
    const errors: unknown[] = [];
    const feed = createChangeFeed(read, (error) => errors.push(error));
    expect(since).toEqual([]);
    const passedOn = [0, 0];
    const stops = passedOn.map((_count, index) =>
      feed.subscribe({ ...SILENT, onRead: () => void (passedOn[index] = since.length) }),
    );
    await until(() => passedOn[1] === 3);
    expect(passedOn).toEqual([3, 3]);
    expect(since).toEqual([undefined, '1', '2']);

    stops.forEach((stop) => stop());
    // A reading after a pause has no snapshot to start from.
    await until(() => {
      feed.subscribe(SILENT)();
      return since.length > 3;
    });
    expect(since.slice(3)).toEqual([undefined]);
    expect(errors).toEqual([]);
  });

  it('reports the first of several readings that fail, and passes on what follows', async () => {
    let isBroken = true;
    let tries = 0;
    const read = async (): Promise<ChangeReading> => {
      tries += 1;
      if (isBroken) throw new Error('no database');
      return { snapshot: 's', changes: [] };
    };
    const errors: unknown[] = [];
    let passedOn = 0;
    const feed = createChangeFeed(read, (error) => errors.push(error));
    const stop = feed.subscribe({ ...SILENT, onRead: () => void (passedOn += 1) });
    await until(() => tries === 3);
    expect([errors.length, passedOn]).toEqual([1, 0]);
    isBroken = false;
    await until(() => passedOn === 1);
    isBroken = true;
    await until(() => tries >= 6);
    expect(errors).toHaveLength(2);
    stop();
  });
});
