import { Agent, request, type IncomingHttpHeaders } from 'node:http';

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came, and what it holds if it is JSON. */
  readonly text: string;
  readonly json: AnswerBody;
}

/** As much of the envelope and of a problem as tests look at. */
export interface AnswerBody {
  readonly data?: {
    readonly id: string | number;
    readonly key?: string;
    readonly firstName?: string;
  };
  readonly code?: string;
  readonly detail?: string;
}

/** Parts of a request beside its method and path. */
export interface RequestOptions {
  /** The credential, sent as a bearer's. */
  readonly key?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly idempotencyKey?: string;
}

/**
 * A client of one server over connections that are kept alive. Unlike `fetch` it never repeats a request, so that a
 * request whose answer was lost is told from one that was answered.
 */
export interface HttpClient {
  /** @throws Error if the connection fails or no answer comes in time */
  send(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  close(): void;
}

const DEADLINE_MS = 60_000;

/** @param origin such as `http://127.0.0.1:3000` */
export function createHttpClient(origin: string): HttpClient {
  const agent = new Agent({ keepAlive: true });
  return {
    send: (method, path, { key, body, idempotencyKey } = {}) =>
      new Promise((resolve, reject) => {
        const payload = body === undefined ? undefined : JSON.stringify(body);
        const headers = {
          ...(key && { Authorization: `Bearer ${key}` }),
          ...(idempotencyKey && { 'Idempotency-Key': idempotencyKey }),
          ...(payload && {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(payload),
          }),
        };
        const outgoing = request(origin + path, { method, agent, headers }, (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.once('error', reject);
          incoming.once('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              text,
              json: readJson(text),
            });
          });
        });
        outgoing.setTimeout(DEADLINE_MS, () => outgoing.destroy(new Error('no answer in time')));
        outgoing.once('error', reject);
        outgoing.end(payload);
      }),
    close: () => agent.destroy(),
  };
}

function readJson(text: string): AnswerBody {
  try {
    return JSON.parse(text) as AnswerBody;
  } catch {
    return {};
  }
}
