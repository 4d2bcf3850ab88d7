import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';

import { beforeAll, describe, expect, it } from '@jest/globals';

import { createUser, registerClient } from '../support/oauth/oauth.js';
import { holdLock } from '../support/oauth/subject-lock.js';
import {
  createInstaller,
  refresh,
  startRefresh,
  statusOf,
  tally,
  type Installer,
} from '../support/oauth/token-families.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** Responses that are delayed for the full time at once. */
const FULLY = 8;

/**
 * The winner's response is delayed, and another use during the delay is not reuse. The row has the end of the delay as the
 * time of consumption.
 */
describe('the response delay of a refresh without a grace window', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1', REFRESH_GRACE_SECONDS: '0' });
  let installer: Installer;
  beforeAll(async () => {
    const user = await createUser(gatehouse, [
      [await gatehouse.createTenant('acme'), 'company_admin'],
    ]);
    installer = createInstaller(gatehouse, { client: await registerClient(gatehouse), user });
  });

  const install = async () => (await installer.install()).refresh_token ?? '';
  const startOf = (token: string) => startRefresh(gatehouse, installer.client, token);

  /** The grant of a used token, the delay of its response in milliseconds, and whether the delay is over. */
  async function useOf(token: string) {
    const [row] = await gatehouse.database.query<{ grant: string; ms: number; isOver: boolean }>(
      `SELECT s.grant_id AS grant, s.consumed_at <= gatehouse_now() AS "isOver",
         round(extract(epoch FROM s.consumed_at - next.issued_at) * 1000)::int AS ms
       FROM refresh_tokens s LEFT JOIN refresh_tokens next ON next.digest = s.successor_digest
       WHERE s.digest = ANY ($1)`,
      [gatehouse.keyring.digests(token)],
    );
    if (row === undefined) throw new Error('no such token');
    return row;
  }

  /** Refreshes all tokens at once: each is read before the first is consumed. */
  async function refreshTogether(tokens: readonly string[]) {
    const grants = await Promise.all(tokens.map(async (token) => (await useOf(token)).grant));
    const locks = await Promise.all(grants.map((grant) => holdLock(gatehouse.database, grant)));
    const sent = tokens.map(startOf);
    await Promise.all(locks.map((lock) => lock.awaited()));
    await Promise.all(locks.map((lock) => lock.release()));
    return Promise.all(sent.map(({ answer }) => answer));
  }

  it('lasts as long as another use does not count as reuse', async () => {
    const token = await install();
    expect((await refresh(gatehouse, installer.client, token)).status).toBe(200);
    expect(await useOf(token)).toMatchObject({ ms: 50, isOver: true });
  });

  it(`is full only while fewer than ${FULLY} other responses are delayed`, async () => {
    const tokens: string[] = [];
    while (tokens.length < FULLY + 2) tokens.push(await install());
    const answers = await refreshTogether(tokens);
    expect(tally(answers)).toEqual({ '200': FULLY + 2 });
    const uses = await Promise.all(tokens.map(useOf));
    const times = uses.map(({ ms }) => ms).toSorted((a, b) => a - b);
    expect(times).toEqual([...Array<number>(2).fill(3), ...Array<number>(FULLY).fill(50)]);
    // The count decreases again.
    const next = await install();
    await refresh(gatehouse, installer.client, next);
    expect(await useOf(next)).toMatchObject({ ms: 50 });
  });

  it('ends when another use counts as reuse, with many delayed responses too', async () => {
    const tokens: string[] = [];
    while (tokens.length < 2 * FULLY) tokens.push(await install());
    await Promise.all(
      tokens.map(async (token) => {
        const first = await refresh(gatehouse, installer.client, token);
        expect((await refresh(gatehouse, installer.client, token)).error).toBe('invalid_grant');
        expect(await statusOf(gatehouse, first.tokens.access_token)).toBe(401);
      }),
    );
  });

  it('is longer if another request for the same token was seen', async () => {
    const token = await install();
    // The lookup waits until both requests were received.
    const lock = await holdLock(gatehouse.database, 'nothing');
    await lock.query('LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE');
    const sent = [startOf(token), startOf(token)];
    await Promise.all(sent.map(({ flushed }) => flushed));
    await fetch(`${gatehouse.origin}/healthz`);
    await lock.release();
    const answers = await Promise.all(sent.map(({ answer }) => answer));
    expect(tally(answers)).toEqual({ '200': 1, '400 invalid_grant': 1 });
    expect(await useOf(token)).toMatchObject({ ms: 200, isOver: true });
  });

  it('does not cover a request that was begun before it and sent after it', async () => {
    const token = await install();
    const { client_id: id } = installer.client;
    const body = `grant_type=refresh_token&client_id=${id}&refresh_token=${token}`;
    const late = request(`${gatehouse.origin}/api/v1/oauth/token`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        'Content-Length': body.length,
      },
    });
    const answer = once(late, 'response') as Promise<[IncomingMessage]>;
    late.flushHeaders();
    await once(late, 'socket');
    await fetch(`${gatehouse.origin}/healthz`);
    const first = await refresh(gatehouse, installer.client, token);
    expect(await statusOf(gatehouse, first.tokens.access_token)).toBe(200);
    late.end(body);
    expect((await answer)[0].resume().statusCode).toBe(400);
    expect(await statusOf(gatehouse, first.tokens.access_token)).toBe(401);
  });
});
