import { afterAll, beforeAll, describe, it } from '@jest/globals';

import { expectReplayEnds, raceForRounds } from '../support/oauth/refresh-rounds.js';
import { startTwoReplicas, type TwoReplicas } from '../support/replicas/two-replicas.js';

/** A grant is refreshed 60 times a minute at most, by all racers together on one replica. */
const GRANTS = 10;
const ROUNDS_EACH = 10;

describe('refreshes of one token over two server processes', () => {
  let both: TwoReplicas;
  beforeAll(async () => {
    both = await startTwoReplicas();
  });
  afterAll(() => both.close());

  it(`all get the same working pair, ${GRANTS * ROUNDS_EACH} times`, async () => {
    for (let grant = 0; grant < GRANTS; grant += 1) {
      const tokens = await raceForRounds(both, ROUNDS_EACH);
      const youngest = tokens.at(-1) ?? '';
      await expectReplayEnds(both, { replayed: tokens.at(-3) ?? '', youngest });
    }
  }, 300_000);
});
