import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import {
  createGuard,
  UnavailableError,
  type Guard,
  type GuardOptions,
} from '../../src/guard/index.js';
import { until } from '../support/app/until.js';

const USAGE = { limit: null, used: 0, remaining: null, resetSeconds: 0, windowSeconds: 3600 };
const VERDICT = {
  active: true,
  type: 'api_key',
  tenantId: 'tnt_1',
  scopes: [],
  principal: { kind: 'tenant', id: 'tnt_1' },
  bindings: null,
  expiresAt: null,
  subjects: ['key_1', 'tnt_1'],
  position: '100',
  limits: { tenant: USAGE, apiKey: USAGE },
};

type Answer = (credentials: readonly string[]) => unknown;

const verdictOn = (credential: string) => ({ ...VERDICT, subjects: credential.split(' ') });
const usual: Answer = (credentials) => ({ data: { verdicts: credentials.map(verdictOn) } });

describe('the guard package, with a server that', () => {
  const guards: Guard[] = [];
  const streams = new Set<ServerResponse>();
  const server = createServer();
  let asked: string[];
  let answer: Answer;
  /** How far its clock is ahead. */
  let aheadMs: number;
  let beforeAnswer: (credentials: readonly string[]) => Promise<void> | undefined;
  beforeAll(async () => {
    server.on('request', async (request, response) => {
      if (request.method === 'GET') {
        streams.add(response);
        response.on('close', () => streams.delete(response));
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.flushHeaders();
        return;
      }
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const { credentials } = JSON.parse(text) as { credentials: { credential: string }[] };
      const all = credentials.map(({ credential }) => credential);
      asked.push(...all);
      const body = JSON.stringify(answer(all));
      await beforeAnswer(all);
      response.setHeader('Date', new Date(Date.now() + aheadMs).toUTCString());
      response.end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(() => {
    [asked, answer, beforeAnswer, aheadMs] = [[], usual, () => undefined, 0];
  });
  afterEach(async () => {
    guards.splice(0).forEach((guard) => guard.close());
    await until(() => streams.size === 0);
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const create = (more: Partial<GuardOptions> = {}) => {
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const freshness = { maxStaleMs: 60_000 };
    const options = { issuer, credential: 'x', freshness, onError: () => undefined, ...more };
    const guard = createGuard(options);
    guards.push(guard);
    return guard;
  };
  const say = (name: string, data: unknown) =>
    streams.forEach((stream) => stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
  const isKept = async (guard: Guard, credential = 'probe') => {
    const before = asked.length;
    await guard.judge({ credential });
    return asked.length === before;
  };
  /** A guard that has a stream, and keeps the verdict about `probe`. */
  const createKeeping = async (more: Partial<GuardOptions> = {}) => {
    const guard = create(more);
    await guard.judge({ credential: 'probe' });
    await until(() => streams.size === 1);
    await until(() => {
      say('beat', { at: 0 });
      return isKept(guard);
    });
    return guard;
  };
  /** Waits until the guard has read everything that was said. */
  const caughtUp = (guard: Guard) => {
    say('change', { subjects: ['probe'], position: '100' });
    return until(async () => !(await isKept(guard)));
  };

  it('sends a change before the verdict that does not include it', async () => {
    const guard = await createKeeping();
    for (const [subject, position, kept] of [
      ['key_1', '100', false],
      ['tnt_1', '1000', false],
      ['tnt_1', '99', true],
      ['key_2', '100', true],
    ] as const) {
      const credential = `key_1 tnt_1 ${subject}-${position}`;
      let release: (() => void) | undefined;
      beforeAnswer = (credentials) =>
        credentials.includes(credential)
          ? new Promise((resolve) => {
              release = resolve;
            })
          : undefined;
      const judged = guard.judge({ credential });
      await until(() => release !== undefined);
      say('change', { subjects: [subject], position });
      await caughtUp(guard);
      beforeAnswer = () => undefined;
      release?.();
      await judged;
      expect({ credential, kept: await isKept(guard, credential) }).toEqual({ credential, kept });
    }
  });

  it('commits in another order than its numbers', async () => {
    const guard = await createKeeping();
    await guard.judge({ credential: 'key_1' });
    say('change', { subjects: ['key_1'], position: '99' });
    await caughtUp(guard);
    expect(await isKept(guard, 'key_1')).toBe(true);
    say('change', { subjects: ['key_2', 'key_1'], position: '100' });
    await caughtUp(guard);
    expect(await isKept(guard, 'key_1')).toBe(false);
  });

  it('resets, breaks the stream, or sends what cannot be understood', async () => {
    const guard = await createKeeping();
    for (const fault of [
      () => say('reset', {}),
      () => streams.forEach((stream) => stream.destroy()),
      () => say('change', { subjects: 'key_1' }),
      () => say('beat', { at: 'now' }),
      () => say('beat', null),
      () => say('change', { subjects: ['x'.repeat(5_000_000)], position: '1' }),
    ]) {
      await guard.judge({ credential: 'key_1' });
      expect(await isKept(guard, 'key_1')).toBe(true);
      fault();
      await until(async () => !(await isKept(guard, 'key_1')));
      await until(() => {
        say('beat', { at: 0 });
        return isKept(guard, 'key_1');
      });
    }
  });

  it('names times of the future, and then stands still', async () => {
    const guard = await createKeeping({ freshness: { maxStaleMs: 150 } });
    say('beat', { at: 1e12 });
    const from = performance.now();
    await until(async () => !(await isKept(guard)));
    expect(performance.now() - from).toBeLessThan(1000);
  });

  it('answers later than a verdict may be old', async () => {
    const guard = create({ freshness: { maxStaleMs: 100 }, timeoutMs: 10_000 });
    let release: (() => void) | undefined;
    beforeAnswer = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    await expect(guard.judge({ credential: 'key_1' })).rejects.toThrow(UnavailableError);
    release?.();
  });

  it('has another clock', async () => {
    const guard = await createKeeping();
    const minute = 60_000;
    for (const [ahead, inMs, kept] of [
      [0, -1, false],
      [0, minute, true],
      // By its clock, the credential has expired.
      [2 * minute, minute, false],
      // By the clock of the service it has.
      [-2 * minute, -minute, false],
      [-2 * minute, minute, true],
    ] as const) {
      aheadMs = ahead;
      const expiresAt = new Date(Date.now() + inMs).toISOString();
      answer = (credentials) => ({
        data: { verdicts: credentials.map((one) => ({ ...verdictOn(one), expiresAt })) },
      });
      const credential = `key_${ahead}_${inMs}`;
      await guard.judge({ credential });
      expect({ credential, kept: await isKept(guard, credential) }).toEqual({ credential, kept });
    }
  });

  it('is asked about more credentials than are kept', async () => {
    const guard = await createKeeping({ maxKept: 10 });
    for (let key = 0; key < 100; key += 1) {
      await guard.judge({ credential: `key_${key}` });
      expect(await isKept(guard)).toBe(true);
    }
    asked = [];
    for (let key = 0; key < 100; key += 1) await guard.judge({ credential: `key_${key}` });
    expect(asked.length).toBeGreaterThanOrEqual(90);
  });

  it('answers anything but one verdict for each question', async () => {
    const guard = create({ freshness: 'exact' });
    for (const wrong of [
      {},
      null,
      { data: { verdicts: [] } },
      { data: { verdicts: [VERDICT, VERDICT] } },
      { data: { verdicts: [{ active: 1 }] } },
      { data: { verdicts: [{ active: true }] } },
      { data: { verdicts: [{ ...VERDICT, principal: null }] } },
      { data: { verdicts: [{ active: false, status: 200, code: '', detail: '' }] } },
    ]) {
      answer = () => wrong;
      await expect(guard.judge({ credential: 'key_1' })).rejects.toThrow(UnavailableError);
    }
  });

  it('is asked in requests that it can read', async () => {
    const guard = create({ freshness: 'exact' });
    const sizes: number[] = [];
    answer = (credentials) => {
      sizes.push(credentials.length);
      return usual(credentials);
    };
    const judge = (length: number) => guard.judge({ credential: 'x'.repeat(length) });
    await Promise.all(Array.from({ length: 600 }, () => judge(10)));
    expect(Math.max(...sizes.splice(0))).toBe(64);
    await Promise.all(Array.from({ length: 256 }, () => judge(4096)));
    expect(Math.max(...sizes) * 4096).toBeLessThan(256 * 1024);
  });
});
