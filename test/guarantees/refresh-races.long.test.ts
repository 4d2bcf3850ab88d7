import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { refresh, statusOf } from '../support/oauth/token-families.js';
import type { TokenResponse } from '../support/oauth/oauth.js';
import {
  startPostingProcesses,
  type PostingProcesses,
} from '../support/process/posting-processes.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';

/** Processes of one installation that refresh one token at once. */
const PROCESSES = 5;
/** A grant is refreshed 60 times a minute at most, by all processes together on one replica. */
const GRANTS = 10;
const ROUNDS_EACH = 10;

describe(`refreshes of one token by ${PROCESSES} processes over two server processes`, () => {
  const both = useTwoReplicas();
  let processes: PostingProcesses;
  beforeAll(async () => {
    processes = await startPostingProcesses(PROCESSES);
  }, 60_000);
  afterAll(() => processes.end());

  /** Checks that all processes end with the same working pair. */
  async function race(token: string): Promise<TokenResponse> {
    const urls = [both.a, both.b].map(({ origin }) => `${origin}/api/v1/oauth/token`);
    const answers = await processes.post(urls, {
      grant_type: 'refresh_token',
      refresh_token: token,
      client_id: both.installer.client.client_id,
    });
    const [first] = answers;
    for (const answer of answers) expect(answer).toEqual({ status: 200, body: first?.body });
    const pair = JSON.parse(first?.body ?? '') as TokenResponse;
    expect(await statusOf(both.a, pair.access_token)).toBe(200);
    expect(await statusOf(both.b, pair.access_token)).toBe(200);
    return pair;
  }

  it(`all get the same working pair, ${GRANTS * ROUNDS_EACH} times, and a replay ends it after the window`, async () => {
    const { a, b, installer, gatehouse } = both;
    for (let grant = 0; grant < GRANTS; grant += 1) {
      let pair = await installer.install();
      let raced = '';
      for (let round = 0; round < ROUNDS_EACH; round += 1) {
        raced = pair.refresh_token ?? '';
        pair = await race(raced);
      }
      // The successor was not used: only the time of the window tells a repeat from a replay.
      await gatehouse.database.shiftClock(`${(grant + 1) * 61} seconds`);
      const [one, other] = grant % 2 === 0 ? [a, b] : [b, a];
      const replay = await refresh(one, installer.client, raced);
      expect([replay.status, replay.error]).toEqual([400, 'invalid_grant']);
      expect(await statusOf(other, pair.access_token)).toBe(401);
      const youngest = await refresh(other, installer.client, pair.refresh_token);
      expect([youngest.status, youngest.error]).toEqual([400, 'invalid_grant']);
    }
    await gatehouse.database.shiftClock('0 seconds');
  }, 300_000);
});
