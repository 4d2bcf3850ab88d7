import type { Context, Middleware, Next } from 'koa';

import { createId } from '../db/id.js';
import { originsOf, type Readers } from '../http/cors.js';
import type { Form } from '../http/form.js';
import { inCatalogOrder } from '../scopes/scope-set.js';
import type { Competition } from './competition.js';
import { createExchange, type Exchange } from './exchange.js';
import type { ExchangeRow, ExchangeStore } from './exchange-store.js';
import type { Issue } from './issuing.js';
import { giveBody, oidcOf } from './library-internals.js';
import { textOf } from './parameters.js';

interface Dependencies {
  readonly store: ExchangeStore;
  readonly competition: Competition;
  readonly issue: Issue;
  /** The library's own answer to a token request. */
  readonly protocol: Middleware;
  /** Ends a grant because its code was used twice. */
  readonly endReusedGrant: (ctx: Context, row: ExchangeRow) => Promise<void>;
}

interface ExchangeState {
  exchange?: Exchange;
  /** What the library caught and answered as `server_error`. */
  failure?: unknown;
  readers?: Readers;
}

/** A token request, read. */
export interface TokenRequest {
  readonly body: Buffer;
  readonly form: Form;
  /** When it came, by `performance.now()`. */
  readonly since: number;
}

export type ExchangeCode = (ctx: Context, next: Next, request: TokenRequest) => Promise<void>;

/**
 * Exchanging a code (RFC 6749 §4.1.3), and refusing whatever is neither that nor a refresh: the library
 * judges the request, and what it asked to have stored is committed at once afterwards, before
 * the answer leaves.
 *
 * @throws OAuthError
 */
export function createCodeExchange(dependencies: Dependencies): ExchangeCode {
  const { store, competition, protocol } = dependencies;
  return async (ctx, next, { body, form, since }) => {
    const exchange = createExchange(store, competition, form.get('code'), since);
    (ctx.state as ExchangeState).exchange = exchange;
    try {
      await judge(ctx, body, () => protocol(ctx, next));
      await conclude(ctx, exchange, dependencies);
    } finally {
      exchange.competitor?.leave();
    }
  };
}

/** What follows from the library's answer. */
async function conclude(
  ctx: Context,
  exchange: Exchange,
  dependencies: Dependencies,
): Promise<void> {
  const state = ctx.state as ExchangeState;
  state.readers = readersOf(ctx);
  if (state.failure !== undefined) throw state.failure;
  if (exchange.isReuse && exchange.row !== undefined) {
    await dependencies.endReusedGrant(ctx, exchange.row);
  } else if (ctx.status === 200) await commit(exchange, dependencies);
}

/**
 * Has the library answer, and keeps from it what it would decide otherwise than we do: it shows errors as a
 * page to whoever prefers one, and refuses clients that a browser calls from another origin (CORS is ours).
 */
async function judge(ctx: Context, body: Buffer, answer: () => Promise<unknown>): Promise<void> {
  const { req } = ctx;
  const { origin } = req.headers;
  req.headers.accept = 'application/json';
  delete req.headers.origin;
  giveBody(ctx, body);
  try {
    await answer();
  } finally {
    ctx.req = req;
    if (origin !== undefined) req.headers.origin = origin;
    const names = ctx.res.getHeaderNames().filter((name) => name.startsWith('access-control-'));
    for (const name of names) ctx.remove(name);
  }
}

/**
 * Who may read the answer in a browser: for a confidential client only the origins that it redirects
 * to. A client that is not known gets an error, which any page may read to register anew.
 */
function readersOf(ctx: Context): Readers {
  const client = oidcOf(ctx)?.client;
  if (client === undefined || client.clientAuthMethod === 'none') return '*';
  return originsOf(client.redirectUris ?? []);
}

/** @throws OAuthError `invalid_grant` if another request was faster, or the grant has ended meanwhile */
async function commit(exchange: Exchange, { issue }: Dependencies): Promise<void> {
  const { row, competitor, access, refresh, isConsumed } = exchange;
  if (row === undefined || competitor === undefined || access === undefined || !isConsumed) {
    throw new Error('the library answered a token request without exchanging anything');
  }
  await issue(competitor, {
    ...{ source: 'code', row },
    access: {
      ...{ id: createId('tok'), secret: access.secret, seconds: access.seconds },
      scopes: inCatalogOrder(textOf(access.payload, 'scope').split(' ')),
      audience: textOf(access.payload, 'aud'),
    },
    refresh: refresh && { id: createId('tok'), ...refresh },
    // A code is used once (RFC 6749 §4.1.2): there is no grace.
    answer: undefined,
  });
}
