import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { createPortionReader } from './portions.js';

/** Limit of concurrently handled requests of one connection. */
const MAX_PENDING = 16;
/** The same for all pipelining connections together. Each may have one in addition. */
const MAX_PENDING_IN_ALL = 1000;
/** Limit of waiting requests of one connection. Higher than one read from a socket (64 KiB) can hold. */
const MAX_WAITING = 3000;
/** The same for all connections together. A waiting request takes about 4 KB. */
const MAX_WAITING_IN_ALL = 4000;

/** The requests of a connection that sent one before the previous one was answered. */
interface Pipeline {
  /** The latest response that was started while no other was pending. */
  last: ServerResponse;
  /** Requests that are being handled; 0 unless the connection pipelines. */
  pending: number;
  readonly waiting: (readonly [IncomingMessage, ServerResponse])[];
  isWatched: boolean;
  isAdmitting: boolean;
  isClosed: boolean;
}

interface PipelineLimit {
  readonly onRequest: RequestListener;
  /** To be called for each new connection, after Node has attached its parser. */
  readonly onConnection: (socket: Socket) => void;
}

/** The requests of all pipelining connections together. */
interface InAll {
  waiting: number;
  pending: number;
}

/**
 * Limits pipelining (RFC 9112 §9.3.2). Node parses everything that a connection sent and starts to handle all of it.
 * Here at most 16 requests of a connection are handled at once. The other requests of the same read wait, and the
 * socket is not read further until they are handled. A request counts until the operating system took its response.
 *
 * A connection that exceeds the limits of waiting requests is ended. Clients must expect that.
 *
 * @param handle handles a request
 * @param maxReadByParser the number of connections that are not read in portions
 */
export function limitPipelines(handle: RequestListener, maxReadByParser?: number): PipelineLimit {
  const pipelines = new WeakMap<Socket, Pipeline>();
  const inAll: InAll = { waiting: 0, pending: 0 };
  const portions = createPortionReader(
    (socket) => (pipelines.get(socket)?.waiting.length ?? 0) > 0,
    maxReadByParser,
  );

  const run = (pipeline: Pipeline, request: IncomingMessage, response: ServerResponse) => {
    track(pipeline, request.socket, response);
    handle(request, response);
  };

  const track = (pipeline: Pipeline, socket: Socket, response: ServerResponse) => {
    watch(pipeline, socket, inAll);
    pipeline.pending += 1;
    inAll.pending += 1;
    pipeline.last = response;
    response.once('close', () => {
      if (pipeline.isClosed) return;
      pipeline.pending -= 1;
      inAll.pending -= 1;
      if (pipeline.waiting.length === 0 || pipeline.isAdmitting) return;
      pipeline.isAdmitting = true;
      // Deferred: responses that need no database would otherwise block the event loop.
      setImmediate(() => admit(pipeline, socket));
    });
  };

  const admit = (pipeline: Pipeline, socket: Socket) => {
    pipeline.isAdmitting = false;
    while (hasRoom(pipeline, inAll)) {
      const next = pipeline.waiting.shift();
      if (next === undefined) break;
      inAll.waiting -= 1;
      run(pipeline, ...next);
    }
    if (pipeline.waiting.length === 0) portions.resume(socket);
  };

  const onRequest: RequestListener = (request, response) => {
    const { socket } = request;
    const pipeline = pipelines.get(socket);
    if (pipeline === undefined) {
      pipelines.set(socket, createPipeline(response));
    } else if (pipeline.pending === 0 && pipeline.waiting.length === 0) {
      if (!pipeline.last.writableFinished) {
        track(pipeline, socket, pipeline.last);
        onRequest(request, response);
        return;
      }
      pipeline.last = response;
    } else {
      if (pipeline.waiting.length === 0 && hasRoom(pipeline, inAll))
        run(pipeline, request, response);
      else postpone(pipeline, request, response, inAll);
      return;
    }
    handle(request, response);
  };
  return { onRequest, onConnection: (socket) => portions.watch(socket) };
}

function createPipeline(last: ServerResponse): Pipeline {
  return {
    last,
    pending: 0,
    waiting: [],
    isWatched: false,
    isAdmitting: false,
    isClosed: false,
  };
}

function hasRoom({ pending }: Pipeline, inAll: InAll): boolean {
  return pending === 0 || (pending < MAX_PENDING && inAll.pending < MAX_PENDING_IN_ALL);
}

/** Called when a pipelining connection closes, since responses that were not started emit no event then. */
function watch(pipeline: Pipeline, socket: Socket, inAll: InAll): void {
  if (pipeline.isWatched) return;
  pipeline.isWatched = true;
  // Node may have resumed the socket, for example when responses were taken.
  socket.on('resume', () => pause(pipeline, socket));
  socket.once('close', () => {
    inAll.waiting -= pipeline.waiting.length;
    inAll.pending -= pipeline.pending;
    pipeline.waiting.length = 0;
    pipeline.isClosed = true;
  });
}

/** Lets a request wait, or ends a connection that has too many. */
function postpone(
  pipeline: Pipeline,
  request: IncomingMessage,
  response: ServerResponse,
  inAll: InAll,
): void {
  const { socket } = request;
  if (socket.destroyed) return;
  pipeline.waiting.push([request, response]);
  inAll.waiting += 1;
  if (pipeline.waiting.length > MAX_WAITING || inAll.waiting > MAX_WAITING_IN_ALL) {
    socket.destroy();
  } else if (pipeline.waiting.length === 1) {
    // Deferred until everything read is parsed, because the end of each message resumes the socket.
    process.nextTick(pause, pipeline, socket);
  }
}

function pause({ waiting }: Pipeline, socket: Socket): void {
  if (waiting.length > 0) socket.pause();
}
