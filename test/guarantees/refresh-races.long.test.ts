import { afterAll, beforeAll, describe, it } from '@jest/globals';

import { expectReplayEnds, raceForRounds } from '../support/refresh-rounds.js';
import { startTwoReplicas, type TwoReplicas } from '../support/two-replicas.js';

const ROUNDS = 100;

describe('refreshes of one token over two server processes', () => {
  let both: TwoReplicas;
  beforeAll(async () => {
    both = await startTwoReplicas();
  });
  afterAll(() => both.close());

  it(`all get the same working pair, ${ROUNDS} rounds long`, async () => {
    const tokens = await raceForRounds(both, ROUNDS);
    await expectReplayEnds(both, { replayed: tokens.at(-3) ?? '', youngest: tokens.at(-1) ?? '' });
  }, 300_000);
});
