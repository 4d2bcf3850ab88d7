import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import Koa, { type Middleware } from 'koa';
import compose from 'koa-compose';

import { bodyOf } from './answer-headers.js';

/** A request that no connection brought: the server asks itself. */
export interface InnerRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The address that the request seems to come from. */
  readonly address: string;
}

/** The part of an answer that a test of a credential shows. */
export interface InnerAnswer {
  readonly status: number;
  readonly requestId: string | undefined;
  readonly body: unknown;
}

/** Makes the message of a GET request. */
function innerMessage({ url, headers, address }: InnerRequest): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: address });
  const message = new IncomingMessage(socket);
  message.method = 'GET';
  message.url = url;
  for (const [name, value] of Object.entries(headers)) {
    message.headers[name.toLowerCase()] = value;
    message.rawHeaders.push(name, value);
  }
  return message;
}

/** Makes the function that lets middleware answer requests without a connection. Streamed bodies are not read. */
export function createInnerServer(
  layers: readonly Middleware[],
): (request: InnerRequest) => Promise<InnerAnswer> {
  const koa = new Koa();
  const answer = compose([...layers]);
  return async (request) => {
    const message = innerMessage(request);
    const ctx = koa.createContext(message, new ServerResponse(message));
    ctx.res.statusCode = 404;
    try {
      await answer(ctx);
    } finally {
      message.destroy();
    }
    const { status, state } = ctx;
    const body = bodyOf(ctx);
    if (isStream(body)) body.destroy();
    return {
      status,
      requestId: (state as { requestId?: string }).requestId,
      body: typeof body === 'string' ? body : undefined,
    };
  };
}

function isStream(body: unknown): body is { destroy(): void } {
  return typeof body === 'object' && body !== null && 'destroy' in body;
}
