import { beforeAll, describe, expect, it } from '@jest/globals';

import { holdLock } from '../support/oauth/subject-lock.js';
import {
  redeem,
  refresh,
  revoke,
  startRedemption,
  startRefresh,
  statusOf,
  tally,
  type Sent,
  type TokenAnswer,
} from '../support/oauth/token-families.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';
import type { ServerProcess } from '../support/process/server-process.js';

const AT_ONCE = 50;
const ROUNDS = 6;
const ONE_WINNER = { '200': 1, [`400 invalid_grant`]: AT_ONCE - 1 };

describe('tokens on two server processes without a grace window', () => {
  const both = useTwoReplicas({ env: { REFRESH_GRACE_SECONDS: '0' } });
  let a: ServerProcess;
  let b: ServerProcess;
  beforeAll(() => {
    ({ a, b } = both);
  });

  /**
   * So many requests at once, spread over both: all have arrived before the first can win, because
   * the test holds the lock that the winner needs.
   */
  async function compete(
    secret: string | undefined,
    start: (server: ServerProcess) => Sent,
  ): Promise<readonly TokenAnswer[]> {
    const earlier = (await both.installer.install()).access_token;
    // The connections first: one that is still being made would come late.
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) => statusOf(index % 2 === 0 ? a : b, 'x')),
    );
    const lock = await holdLock(both.gatehouse.database, await both.grantOf(secret));
    const sent = Array.from({ length: AT_ONCE }, (_, index) => start(index % 2 === 0 ? a : b));
    await Promise.all(sent.map(({ flushed }) => flushed));
    // The first answer may precede other requests of its turn. Those have been read once the second one is answered.
    for (let turn = 0; turn < 2; turn++) await bothServers('/healthz');
    await lock.awaited(2);
    // Lookups are sent in their order: those of the requests have been answered once a later one is.
    for (let turn = 0; turn < 2; turn++) expect(await statuses(earlier)).toEqual([200, 200]);
    await lock.release();
    return Promise.all(sent.map(({ answer }) => answer));
  }

  const bothServers = (path: string) =>
    Promise.all([a, b].map((server) => server.send('GET', path)));

  const winnerOf = (answers: readonly TokenAnswer[]) =>
    answers.find(({ status }) => status === 200)?.tokens ?? { access_token: '', refresh_token: '' };
  const statuses = (accessToken: string) =>
    Promise.all([statusOf(a, accessToken), statusOf(b, accessToken)]);

  it(`let one of ${AT_ONCE} concurrent refreshes win, keep the family, and end it at reuse`, async () => {
    const { installer } = both;
    for (let round = 0; round < ROUNDS; round++) {
      const old = (await installer.install()).refresh_token;
      const answers = await compete(old, (server) => startRefresh(server, installer.client, old));
      expect(tally(answers)).toEqual(ONE_WINNER);

      const won = winnerOf(answers);
      expect(await statuses(won.access_token)).toEqual([200, 200]);
      const next = await refresh(b, installer.client, won.refresh_token);
      expect(next.status).toBe(200);

      const reuse = await refresh(a, installer.client, old);
      expect(tally([reuse])).toEqual({ '400 invalid_grant': 1 });
      expect(await statusOf(b, next.tokens.access_token)).toBe(401);
      expect(await statuses(won.access_token)).toEqual([401, 401]);
      const dead = await refresh(b, installer.client, next.tokens.refresh_token);
      expect(tally([dead])).toEqual({ '400 invalid_grant': 1 });
    }
  }, 60_000);

  it(`let one of ${AT_ONCE} concurrent redemptions of a code win, and end its tokens at a later use`, async () => {
    const { installer } = both;
    for (let round = 0; round < ROUNDS; round++) {
      const code = await installer.authorize();
      const answers = await compete(code.code, (server) =>
        startRedemption(server, installer.client, code),
      );
      expect(tally(answers)).toEqual(ONE_WINNER);

      const won = winnerOf(answers);
      expect(await statuses(won.access_token)).toEqual([200, 200]);
      const reuse = await redeem(a, installer.client, code);
      expect(tally([reuse])).toEqual({ '400 invalid_grant': 1 });
      expect(await statusOf(b, won.access_token)).toBe(401);
      const dead = await refresh(b, installer.client, won.refresh_token);
      expect(tally([dead])).toEqual({ '400 invalid_grant': 1 });
    }
  }, 60_000);

  it('treat a token that is used again after its answer as reuse, at any speed', async () => {
    const { installer } = both;
    for (let round = 0; round < ROUNDS; round++) {
      const { refresh_token: old } = await installer.install();
      const first = await refresh(a, installer.client, old);
      expect((await refresh(b, installer.client, old)).error).toBe('invalid_grant');
      expect(await statusOf(a, first.tokens.access_token)).toBe(401);
    }
  }, 30_000);

  /** Whatever was answered, now or before: nothing of it may be good any more, on either replica. */
  async function expectAllDead(answers: readonly TokenAnswer[]): Promise<void> {
    for (const { status, error, tokens } of answers) {
      expect([200, 400, 401]).toContain(status);
      if (status !== 200) {
        expect(['invalid_grant', 'invalid_client']).toContain(error);
        continue;
      }
      expect(await statuses(tokens.access_token)).toEqual([401, 401]);
      const again = await refresh(b, both.installer.client, tokens.refresh_token);
      expect(['invalid_grant', 'invalid_client']).toContain(again.error);
    }
  }

  it('end with a revocation that runs beside refreshes', async () => {
    const { installer } = both;
    for (let round = 0; round < ROUNDS; round++) {
      const { refresh_token: token = '' } = await installer.install();
      const racing = Array.from({ length: 8 }, (_, index) =>
        refresh(index % 2 === 0 ? a : b, installer.client, token),
      );
      const revoked = revoke(round % 2 === 0 ? a : b, installer.client, token);
      const answers = await Promise.all(racing);
      expect(await revoked).toBe(200);
      await expectAllDead(answers);
    }
  }, 60_000);

  it('end with the revocation of their grant by the operator beside refreshes', async () => {
    const { installer, cli } = both;
    const installed = await installer.install();
    const grant = await both.grantOf(installed.refresh_token);
    const answers: TokenAnswer[] = [];
    const revoked = cli(['grants', 'revoke', grant, '--yes']);
    for (let token = installed.refresh_token; token !== undefined;) {
      const answer = await refresh(answers.length % 2 === 0 ? a : b, installer.client, token);
      answers.push(answer);
      token = answer.tokens.refresh_token;
    }
    expect(await revoked).toMatchObject({ code: 0 });
    await expectAllDead(answers);
    expect(await statuses(installed.access_token)).toEqual([401, 401]);
  }, 30_000);

  it.each([
    ['the removal of a membership', 'remove'],
    ['the blocking of a client', 'block'],
  ])(
    'no code that is redeemed meanwhile survives %s',
    async (_what, verb) => {
      const installer = await both.newInstaller();
      const { client, user } = installer;
      // One after the other, so that the command lands between two of them.
      const codes = [];
      for (let count = 0; count < 30; count++) codes.push(await installer.authorize());
      const done = both.cli(
        verb === 'remove'
          ? ['accounts', 'remove', '--email', user.email, '--tenant', both.tenant.id, '--yes']
          : ['clients', 'block', client.client_id, '--yes'],
      );
      const answers: TokenAnswer[] = [];
      for (const [index, code] of codes.entries()) {
        answers.push(await redeem(index % 2 === 0 ? a : b, client, code));
      }
      expect(await done).toMatchObject({ code: 0 });
      await expectAllDead(answers);
    },
    60_000,
  );
});
