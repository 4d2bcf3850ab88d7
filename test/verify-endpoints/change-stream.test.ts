import type { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it, jest } from '@jest/globals';

import { createChangeStreams } from '../../src/verify-endpoints/changes/change-stream.js';
import { openStream } from '../support/app/change-stream.js';
import { addResourceServer } from '../support/oauth/resource-servers.js';
import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const MINUTE = 60_000;

describe('a stream of changes', () => {
  const gatehouse = useGatehouse();
  afterEach(() => void jest.restoreAllMocks());

  it('ends after ten minutes, so that the service authenticates again', async () => {
    const server = await addResourceServer(gatehouse, 'https://files.example.com');
    const stream = await openStream(gatehouse.origin, server.bearer);
    await stream.caughtUp();
    const real = performance.now.bind(performance);
    let ahead = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => real() + ahead);
    const hasBeatAt = (ms: number) => stream.events.some(({ data }) => (data.at ?? 0) >= ms);
    // In steps: changes that were not read for five minutes would end it, too.
    for (ahead of [4 * MINUTE, 8 * MINUTE, 9.9 * MINUTE]) await until(() => hasBeatAt(ahead));
    // It is still open: the next beats are sent.
    const beats = stream.events.length;
    await until(() => stream.events.length > beats + 1);
    ahead = 10.1 * MINUTE;

    expect(await stream.ended).toBe(true);
    expect(stream.events.map(({ name }) => name)).not.toContain('reset');
    expect(stream.events.at(-1)?.data.at).toBeGreaterThan(10 * MINUTE);
    const next = await openStream(gatehouse.origin, server.bearer);
    expect(next.status).toBe(200);
    next.close();
  });
});

describe('the streams of changes of a process', () => {
  it('are 2,000 at most, and another one begins when one ended', async () => {
    const feed = { subscribe: () => () => undefined };
    const sendChanges = createChangeStreams(feed, () => false);
    const streams: PassThrough[] = [];
    const begin = (follower: number) => {
      const answer = { method: 'GET', get: () => '', set: () => undefined, type: '', status: 0 };
      const ctx: typeof answer & { body?: unknown } = answer;
      sendChanges(ctx, { id: `rsv_${follower}`, tenantId: undefined, subjects: [] });
      streams.push(ctx.body as PassThrough);
    };
    for (let index = 0; index < 2000; index += 1) begin(index % 100);
    const refusal = { code: 'rate_limited', headers: { 'Retry-After': '10' } };
    expect(() => begin(100)).toThrow(expect.objectContaining(refusal));

    streams.pop()?.destroy();
    await until(() => {
      begin(100);
      return true;
    });
    expect(() => begin(101)).toThrow(expect.objectContaining(refusal));
    for (const stream of streams) stream.destroy();
  });
});
