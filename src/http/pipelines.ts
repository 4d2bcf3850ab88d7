import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { createPortionReader } from './portions.js';

/** Requests of one connection that are worked on at once. */
const MAX_UNDER_WAY = 16;
/** The same over all connections that pipeline; each may have one more. */
const MAX_UNDER_WAY_IN_ALL = 1000;
/** Requests of one connection that wait their turn: more than one read from a socket (64 KiB) holds. */
const MAX_WAITING = 3000;
/** The same over all connections. A waiting request takes about 4 KB. */
const MAX_WAITING_IN_ALL = 4000;

/** The requests of a connection that sent a further one before the last was answered. */
interface Pipeline {
  /** The latest response that was begun while nothing else was under way. */
  last: ServerResponse;
  /** Unanswered requests that were handed on; 0 unless the connection pipelines. */
  underWay: number;
  readonly waiting: (readonly [IncomingMessage, ServerResponse])[];
  isWatched: boolean;
  isAdmitting: boolean;
  isClosed: boolean;
}

/**
 * Limits pipelining (RFC 9112 §9.3.2): Node parses whatever a connection sent, and begins to answer all
 * of it. Here 16 requests of a connection are under way at most. The others of the same read wait, and
 * nothing further is read from the socket until they had their turn. An answer is under way until the
 * operating system took all of it.
 *
 * Connections are ended when they make the server hold too much: clients are prepared for that.
 *
 * @param handle answers a request
 * @param maxReadByParser connections that are not read in portions
 */
export function limitPipelines(
  handle: RequestListener,
  maxReadByParser?: number,
): {
  readonly onRequest: RequestListener;
  /** For each new connection, after Node has attached its parser. */
  readonly onConnection: (socket: Socket) => void;
} {
  const pipelines = new WeakMap<Socket, Pipeline>();
  let waitingInAll = 0;
  let underWayInAll = 0;
  const portions = createPortionReader(
    (socket) => (pipelines.get(socket)?.waiting.length ?? 0) > 0,
    maxReadByParser,
  );

  const hasRoom = ({ underWay }: Pipeline) =>
    underWay === 0 || (underWay < MAX_UNDER_WAY && underWayInAll < MAX_UNDER_WAY_IN_ALL);

  const run = (pipeline: Pipeline, request: IncomingMessage, response: ServerResponse) => {
    track(pipeline, request.socket, response);
    handle(request, response);
  };

  const track = (pipeline: Pipeline, socket: Socket, response: ServerResponse) => {
    watch(pipeline, socket);
    pipeline.underWay += 1;
    underWayInAll += 1;
    pipeline.last = response;
    response.once('close', () => {
      if (pipeline.isClosed) return;
      pipeline.underWay -= 1;
      underWayInAll -= 1;
      if (pipeline.waiting.length === 0 || pipeline.isAdmitting) return;
      pipeline.isAdmitting = true;
      // Not at once: answers that need no database would keep the event loop from everybody else.
      setImmediate(() => admit(pipeline, socket));
    });
  };

  const admit = (pipeline: Pipeline, socket: Socket) => {
    pipeline.isAdmitting = false;
    while (hasRoom(pipeline)) {
      const next = pipeline.waiting.shift();
      if (next === undefined) break;
      waitingInAll -= 1;
      run(pipeline, ...next);
    }
    if (pipeline.waiting.length === 0) portions.resume(socket);
  };

  /** Of a connection that pipelines. Responses that were not begun do not say when it is closed. */
  const watch = (pipeline: Pipeline, socket: Socket) => {
    if (pipeline.isWatched) return;
    pipeline.isWatched = true;
    // Node resumes it too, for instance when answers were taken.
    socket.on('resume', () => pause(pipeline, socket));
    socket.once('close', () => {
      waitingInAll -= pipeline.waiting.length;
      underWayInAll -= pipeline.underWay;
      pipeline.waiting.length = 0;
      pipeline.isClosed = true;
    });
  };

  const postpone = (pipeline: Pipeline, request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    if (socket.destroyed) return;
    pipeline.waiting.push([request, response]);
    waitingInAll += 1;
    if (pipeline.waiting.length > MAX_WAITING || waitingInAll > MAX_WAITING_IN_ALL) {
      socket.destroy();
    } else if (pipeline.waiting.length === 1) {
      // After what was read is parsed: the end of each message resumes the socket.
      process.nextTick(pause, pipeline, socket);
    }
  };

  const onRequest: RequestListener = (request, response) => {
    const { socket } = request;
    const pipeline = pipelines.get(socket);
    if (pipeline === undefined) {
      pipelines.set(socket, {
        last: response,
        underWay: 0,
        waiting: [],
        isWatched: false,
        isAdmitting: false,
        isClosed: false,
      });
    } else if (pipeline.underWay === 0 && pipeline.waiting.length === 0) {
      if (!pipeline.last.writableFinished) {
        track(pipeline, socket, pipeline.last);
        onRequest(request, response);
        return;
      }
      pipeline.last = response;
    } else {
      if (pipeline.waiting.length === 0 && hasRoom(pipeline)) run(pipeline, request, response);
      else postpone(pipeline, request, response);
      return;
    }
    handle(request, response);
  };
  return { onRequest, onConnection: (socket) => portions.watch(socket) };
}

function pause({ waiting }: Pipeline, socket: Socket): void {
  if (waiting.length > 0) socket.pause();
}
