import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

import { UnavailableError } from './types.js';

/** An answer of Gatehouse that was read to its end. */
export interface Answer {
  readonly status: number;
  /** The value of the header `Date`, if it was sent. */
  readonly date: string | undefined;
  readonly body: string;
}

/** Requests to Gatehouse, with the credential of this service. Redirects are not followed. */
export interface Connection {
  /**
   * Sends JSON over a connection that is kept alive.
   * @param canRepeat whether it is sent again if the server closed the idle connection meanwhile
   * @throws UnavailableError
   */
  post(path: string, body: string, timeoutMs: number, canRepeat: boolean): Promise<Answer>;
  /**
   * Opens a stream over a connection of its own, which does not keep the process alive.
   * @returns a function that ends it
   */
  open(
    path: string,
    onAnswer: (answer: IncomingMessage) => void,
    onError: (reason: string) => void,
  ): () => void;
  /** Ends all connections. */
  close(): void;
}

/** Requests that run at once. More calls than they carry wait, and then travel together. */
export const MAX_IN_FLIGHT = 8;
const MAX_ANSWER = 16_000_000;
/** The server closes idle connections after some seconds. */
const IDLE_MS = 4000;

export function createConnection(url: URL, credential: string): Connection {
  const isSecure = url.protocol === 'https:';
  const request = isSecure ? httpsRequest : httpRequest;
  const options = { keepAlive: true, maxSockets: MAX_IN_FLIGHT, timeout: IDLE_MS };
  const agent = isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  const authorization = `Bearer ${credential}`;

  function send(path: string, body: string, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, url), {
        agent,
        method: 'POST',
        headers: {
          Authorization: authorization,
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
        },
      });
      const timer = setTimeout(() => {
        sent.destroy(new UnavailableError('Gatehouse did not answer in time'));
      }, timeoutMs);
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(isStale(sent.reusedSocket, error) ? new StaleConnection() : unavailable(error));
      };
      sent.on('error', fail);
      sent.on('response', (answer) => {
        readAll(answer).then((text) => {
          clearTimeout(timer);
          resolve({ status: answer.statusCode ?? 0, date: answer.headers.date, body: text });
        }, fail);
      });
      sent.end(body);
    });
  }

  return {
    async post(path, body, timeoutMs, canRepeat) {
      const startedAt = performance.now();
      try {
        return await send(path, body, timeoutMs);
      } catch (error) {
        const left = timeoutMs - (performance.now() - startedAt);
        if (!canRepeat || !(error instanceof StaleConnection) || left <= 0) throw error;
        return send(path, body, left);
      }
    },
    open(path, onAnswer, onError) {
      const sent = request(new URL(path, url), {
        agent: false,
        headers: { Authorization: authorization, Accept: 'text/event-stream' },
      });
      sent.on('socket', (socket) => socket.unref());
      sent.on('response', onAnswer);
      sent.on('error', ({ message }) => onError(message));
      sent.end();
      return () => sent.destroy();
    },
    close: () => agent.destroy(),
  };
}

/** An idle connection was closed by the server when the request was sent. */
class StaleConnection extends UnavailableError {
  constructor() {
    super('Gatehouse closed the connection');
  }
}

function isStale(isReused: boolean, error: Error): boolean {
  const code = 'code' in error ? error.code : undefined;
  return isReused && (code === 'ECONNRESET' || code === 'EPIPE');
}

function unavailable(cause: Error): UnavailableError {
  if (cause instanceof UnavailableError) return cause;
  return new UnavailableError(`Gatehouse cannot be asked: ${cause.message}`, { cause });
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    const bytes = chunk as Buffer;
    length += bytes.length;
    if (length > MAX_ANSWER) throw new UnavailableError('Gatehouse answered too much');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
