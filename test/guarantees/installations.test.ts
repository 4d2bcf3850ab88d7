import { describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';
import type { TokenResponse } from '../support/oauth/oauth.js';
import { refresh, revoke, statusOf } from '../support/oauth/token-families.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';

describe('two installations of one app by one user', () => {
  const both = useTwoReplicas();
  let laptop: TokenResponse;
  let phone: TokenResponse;

  async function installBoth(): Promise<void> {
    laptop = await both.installer.install();
    phone = await both.installer.install();
  }

  async function expectLaptopEnded(): Promise<void> {
    for (const server of [both.a, both.b]) {
      expect(await statusOf(server, laptop.access_token)).toBe(401);
      const { error } = await refresh(server, both.installer.client, laptop.refresh_token);
      expect(error).toBe('invalid_grant');
    }
  }

  async function expectPhoneWorks(): Promise<void> {
    for (const server of [both.a, both.b]) {
      expect(await statusOf(server, phone.access_token)).toBe(200);
      const answer = await refresh(server, both.installer.client, phone.refresh_token);
      expect(answer.status).toBe(200);
      phone = answer.tokens;
    }
  }

  it('share a client and have a grant each', async () => {
    await installBoth();
    const grants = await Promise.all([laptop, phone].map((at) => both.grantOf(at.refresh_token)));
    expect(new Set(grants).size).toBe(2);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['the other logs out', () => revoke(both.a, both.installer.client, laptop.refresh_token ?? '')],
    [
      'a token of the other is used twice',
      async () => {
        const { refresh_token: old } = laptop;
        for (let uses = 0; uses < 2; uses++) {
          const { refresh_token: token } = laptop;
          laptop = (await refresh(both.a, both.installer.client, token)).tokens;
        }
        await refresh(both.b, both.installer.client, old);
      },
    ],
    [
      'the operator ends the grant of the other',
      async () => both.cli(['grants', 'revoke', await both.grantOf(laptop.refresh_token), '--yes']),
    ],
  ])('one keeps working when %s', async (_what, end) => {
    await installBoth();
    await end();
    await expectLaptopEnded();
    await expectPhoneWorks();
  });

  it('end apart: one works after the other has expired', async () => {
    const shiftClock = async (by: string) => {
      await both.gatehouse.database.shiftClock(by);
      // Creates the partitions, as servers do every minute.
      await runCleanup(both.gatehouse.dataSource, new AbortController().signal);
    };
    await installBoth();
    await shiftClock('29 days');
    phone = (await refresh(both.a, both.installer.client, phone.refresh_token)).tokens;
    await shiftClock('30 days 1 minute');
    phone = (await refresh(both.b, both.installer.client, phone.refresh_token)).tokens;
    await expectLaptopEnded();
    await expectPhoneWorks();
    await shiftClock('0 days');
  });
});
