import { describe, expect, it } from '@jest/globals';

import { expectReplayEnds, raceForRounds } from '../support/oauth/refresh-rounds.js';
import { holdLock } from '../support/oauth/subject-lock.js';
import { refresh, startRefresh, statusOf, tally } from '../support/oauth/token-families.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';

const ROUNDS = 12;
/** How often a grace window gives its answer again. */
const REPEATS = 10;

describe('refreshes of one token over two server processes, with the default grace window', () => {
  const both = useTwoReplicas();

  it('all get the same working pair, and a token of an earlier round ends the family', async () => {
    const tokens = await raceForRounds(both, ROUNDS);
    const [replayed = ''] = tokens;
    await expectReplayEnds(both, { replayed, youngest: tokens.at(-1) ?? '' });
  }, 60_000);

  it('get the same pair while the winner commits, up to the limit of the window', async () => {
    const { a, b, installer, gatehouse } = both;
    const racers = REPEATS + 1;
    const { refresh_token: token } = await installer.install();
    // The connections first: one that is still being made would come late.
    await Promise.all(
      Array.from({ length: racers }, (_, index) => statusOf(index % 2 === 0 ? a : b, 'x')),
    );
    const lock = await holdLock(gatehouse.database, await both.grantOf(token));
    const sent = Array.from({ length: racers }, (_, index) =>
      startRefresh(index % 2 === 0 ? a : b, installer.client, token),
    );
    await Promise.all(sent.map(({ flushed }) => flushed));
    await Promise.all([a, b].map((server) => server.send('GET', '/healthz')));
    await lock.awaited(2);
    await lock.release();
    const answers = await Promise.all(sent.map(({ answer }) => answer));

    expect(tally(answers)).toEqual({ '200': racers });
    const good = answers.filter(({ status }) => status === 200).map(({ tokens }) => tokens);
    for (const tokens of good) expect(tokens).toEqual(good[0]);
    // Losing a race is not reuse: the family lives.
    expect(await statusOf(b, good[0]?.access_token ?? '')).toBe(200);
    expect((await refresh(a, installer.client, good[0]?.refresh_token)).status).toBe(200);
  }, 30_000);

  it('count as reuse after the window', async () => {
    const { a, installer, gatehouse } = both;
    const { refresh_token: replayed = '' } = await installer.install();
    const { tokens } = await refresh(a, installer.client, replayed);
    await gatehouse.database.shiftClock('61 seconds');
    await expectReplayEnds(both, { replayed, youngest: tokens.refresh_token ?? '' });
    await gatehouse.database.shiftClock('0 seconds');
  });
});
