import { expect } from '@jest/globals';

import { refresh, startRefresh, statusOf, type TokenAnswer } from './token-families.js';
import type { TwoReplicas } from '../replicas/two-replicas.js';

/** How many requests of one client refresh one token at once, spread over two replicas. */
const RACERS = 5;

/** Refreshes one token by several requests at once, unforced: they arrive and are read as it happens. */
async function raceRefresh(
  { a, b, installer }: TwoReplicas,
  token: string | undefined,
): Promise<readonly TokenAnswer[]> {
  const sent = Array.from({ length: RACERS }, (_, index) =>
    startRefresh(index % 2 === 0 ? a : b, installer.client, token),
  );
  return Promise.all(sent.map(({ answer }) => answer));
}

/**
 * Races round after round in one family, each with the successor of the last, and checks that all racers end with
 * the same working pair.
 *
 * @returns the tokens that were raced for, oldest first, the last one unused
 */
export async function raceForRounds(both: TwoReplicas, rounds: number): Promise<readonly string[]> {
  const tokens = [(await both.installer.install()).refresh_token ?? ''];
  for (let round = 0; round < rounds; round++) {
    const answers = await raceRefresh(both, tokens.at(-1));
    const [first] = answers;
    for (const answer of answers) expect(answer).toEqual({ ...first, status: 200 });
    const { access_token: access = '', refresh_token: next = '' } = first?.tokens ?? {};
    expect(await statusOf(both.a, access)).toBe(200);
    expect(await statusOf(both.b, access)).toBe(200);
    tokens.push(next);
  }
  return tokens;
}

/** Checks that a token which comes back ends its family, the youngest tokens included. */
export async function expectReplayEnds(
  { a, b, installer }: TwoReplicas,
  { replayed, youngest }: { readonly replayed: string; readonly youngest: string },
): Promise<void> {
  const last = await refresh(b, installer.client, youngest);
  expect(last.status).toBe(200);
  expect(await refresh(a, installer.client, replayed)).toMatchObject({
    status: 400,
    error: 'invalid_grant',
  });
  expect(await statusOf(a, last.tokens.access_token)).toBe(401);
  expect(await statusOf(b, last.tokens.access_token)).toBe(401);
  expect(await refresh(b, installer.client, last.tokens.refresh_token)).toMatchObject({
    status: 400,
    error: 'invalid_grant',
  });
}
