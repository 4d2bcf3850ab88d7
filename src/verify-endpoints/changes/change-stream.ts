import { PassThrough } from 'node:stream';

import { Problem } from '../../http/errors/problem.js';
import type { Change } from './change-reader.js';
import type { ChangeFeed } from './change-feed.js';

/** The service that follows the changes. */
export interface Follower {
  readonly id: string;
  /** The tenant whose changes it sees; `undefined` for those of all tenants. */
  readonly tenantId: string | undefined;
  /** The subjects whose change ends the stream, because the service itself may have lost its access. */
  readonly subjects: readonly string[];
}

/** The part of Koa's context that a stream needs. */
interface Answer {
  readonly method: string;
  get(header: string): string;
  set(headers: Record<string, string>): unknown;
  type: string;
  status: number;
  body?: unknown;
}

/**
 * Answers with the changes of verdicts as server-sent events:
 * - `change`: `{subjects, position}`. A verdict about one of the subjects whose position is not above this one may be
 *   out of date.
 * - `beat`: `{at}`, milliseconds since the request was received. Everything committed before was sent.
 * - `reset`: changes may be missing. Every verdict may be out of date.
 */
export type SendChanges = (ctx: Answer, follower: Follower) => void;

const MAX_STREAMS = { perFollower: 20, all: 2000 } as const;
/** A client that reads more slowly is cut off. */
const MAX_BUFFERED = 1_000_000;
/** The service authenticates again after this time. */
const MAX_MS = 10 * 60_000;

export function createChangeStreams(feed: ChangeFeed, isStopping: () => boolean): SendChanges {
  const begin = createStreamCount();

  function follow(stream: PassThrough, { tenantId, subjects }: Follower): () => void {
    const startedAt = performance.now();
    const send = (text: string) => {
      // A client that reads slowly may still be reading the end.
      if (stream.writableEnded) return;
      if (stream.writableLength > MAX_BUFFERED) stream.destroy();
      else stream.write(text);
    };
    return feed.subscribe({
      onGap() {
        send(RESET);
        // The service itself may be among the changes that are missing. It authenticates again.
        stream.end();
      },
      onRead(changes, readAt) {
        const isLost = tenantId !== undefined && changes.some((change) => change.tenantId === '');
        if (isLost) send(RESET);
        const seen = changes.filter((change) => isSeen(change, tenantId));
        const changed = seen.map(({ subject }) => subject);
        const last = seen.at(-1);
        if (last !== undefined) {
          send(event('change', { subjects: changed, position: last.position }));
        }
        const at = Math.floor(readAt - startedAt);
        if (at >= 0) send(`id: ${at}\n${event('beat', { at })}`);
        const isItself = changed.some((subject) => subjects.includes(subject));
        // Nothing may follow the end: the answer would be cut off.
        if (isItself || isStopping() || at > MAX_MS) stream.end();
      },
    });
  }

  return (ctx, follower) => {
    ctx.set({ 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
    ctx.type = 'text/event-stream';
    ctx.status = 200;
    if (ctx.method === 'HEAD') return;
    const end = begin(follower.id);
    const stream = new PassThrough();
    // A client that comes back has missed what was sent meanwhile.
    if (ctx.get('Last-Event-ID') !== '') stream.write(RESET);
    const unsubscribe = follow(stream, follower);
    stream.on('close', () => {
      unsubscribe();
      end();
    });
    ctx.body = stream;
  };
}

/**
 * Counts the streams that are open.
 *
 * @returns a function that begins one, and returns a function that ends it; it throws a Problem `rate_limited`
 */
function createStreamCount(): (id: string) => () => void {
  const running = new Map<string, number>();
  let all = 0;

  return (id) => {
    const own = running.get(id) ?? 0;
    if (own >= MAX_STREAMS.perFollower || all >= MAX_STREAMS.all) {
      const headers = { 'Retry-After': '10' };
      throw new Problem('rate_limited', 'Too many streams are open.', { headers });
    }
    running.set(id, own + 1);
    all += 1;
    return () => {
      all -= 1;
      const left = (running.get(id) ?? 1) - 1;
      if (left === 0) running.delete(id);
      else running.set(id, left);
    };
  };
}

const RESET = event('reset', {});

function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Whether a service of this tenant may see the change; of all tenants, if it is undefined. */
function isSeen(change: Change, tenantId: string | undefined): boolean {
  return tenantId === undefined || change.tenantId === null || change.tenantId === tenantId;
}
