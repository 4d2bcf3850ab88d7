import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of one connection that are worked on at once. */
const MAX_UNDER_WAY = 16;
/** Requests of one connection that wait their turn: more than one read from a socket (64 KiB) holds. */
const MAX_WAITING = 4000;
/** The same over all connections. A waiting request takes about 3 KB. */
const MAX_WAITING_IN_ALL = 10_000;

/** The requests of a connection that sent a further one before the last was answered. */
interface Pipeline {
  /** The latest response that was begun while nothing else was under way. */
  last: ServerResponse;
  /** Unanswered requests that were handed on; 0 unless the connection pipelines. */
  underWay: number;
  readonly waiting: (readonly [IncomingMessage, ServerResponse])[];
  isWatched: boolean;
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
 */
export function limitPipelines(handle: RequestListener): RequestListener {
  const pipelines = new WeakMap<Socket, Pipeline>();
  let waitingInAll = 0;

  const run = (pipeline: Pipeline, request: IncomingMessage, response: ServerResponse) => {
    track(pipeline, request.socket, response);
    handle(request, response);
  };

  const track = (pipeline: Pipeline, socket: Socket, response: ServerResponse) => {
    pipeline.underWay += 1;
    pipeline.last = response;
    response.once('close', () => {
      pipeline.underWay -= 1;
      if (pipeline.waiting.length > 0) admit(pipeline, socket);
    });
  };

  const admit = (pipeline: Pipeline, socket: Socket) => {
    while (pipeline.underWay < MAX_UNDER_WAY) {
      const next = pipeline.waiting.shift();
      if (next === undefined) break;
      waitingInAll -= 1;
      run(pipeline, ...next);
    }
    if (pipeline.waiting.length === 0) socket.resume();
  };

  const postpone = (pipeline: Pipeline, request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    if (socket.destroyed) return;
    pipeline.waiting.push([request, response]);
    waitingInAll += 1;
    if (pipeline.waiting.length > MAX_WAITING || waitingInAll > MAX_WAITING_IN_ALL) {
      socket.destroy();
      return;
    }
    const pause = () => {
      if (pipeline.waiting.length > 0) socket.pause();
    };
    // After what was read is parsed: the end of each message resumes the socket.
    if (pipeline.waiting.length === 1) process.nextTick(pause);
    if (pipeline.isWatched) return;
    pipeline.isWatched = true;
    // Node resumes it too, for instance when answers were taken.
    socket.on('resume', pause);
    socket.once('close', () => {
      waitingInAll -= pipeline.waiting.length;
      pipeline.waiting.length = 0;
    });
  };

  return (request, response) => {
    const { socket } = request;
    const pipeline = pipelines.get(socket);
    if (pipeline === undefined) {
      pipelines.set(socket, { last: response, underWay: 0, waiting: [], isWatched: false });
    } else if (pipeline.underWay === 0) {
      if (!pipeline.last.writableFinished) {
        track(pipeline, socket, pipeline.last);
        run(pipeline, request, response);
        return;
      }
      pipeline.last = response;
    } else if (pipeline.underWay < MAX_UNDER_WAY && pipeline.waiting.length === 0) {
      run(pipeline, request, response);
      return;
    } else {
      postpone(pipeline, request, response);
      return;
    }
    handle(request, response);
  };
}
