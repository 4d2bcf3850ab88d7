import type { Context, Middleware, Next } from 'koa';

import { createId } from '../db/id.js';
import { originsOf, type Readers } from '../http/cors.js';
import type { Form } from '../http/form.js';
import { noteRefusal } from '../http/oauth-error.js';
import { findResource } from '../http/resource-uri.js';
import { inCatalogOrder } from '../scopes/scope-set.js';
import type { Competition } from './competition.js';
import { createExchange, type Exchange } from './exchange.js';
import type { ExchangeRow, ExchangeStore } from './exchange-store.js';
import { invalidGrant, type GrantRefusal } from './grant-refusal.js';
import type { Issue } from './issuing.js';
import { giveBody, oidcOf } from './library-internals.js';
import { secondsLeft, type Lifetimes } from './lifetimes.js';
import { textOf } from './parameters.js';

interface Dependencies {
  readonly store: ExchangeStore;
  readonly competition: Competition;
  readonly issue: Issue;
  readonly lifetimes: Lifetimes;
  /** The resources that tokens can be for (RFC 8707). */
  readonly resources: readonly string[];
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
  const { store, competition, protocol, resources } = dependencies;
  return async (ctx, next, { body, form, since }) => {
    const exchange = createExchange(store, competition, form.get('code'), since);
    (ctx.state as ExchangeState).exchange = exchange;
    try {
      await judge(ctx, asRegistered(form, body, resources), () => protocol(ctx, next));
      await conclude(ctx, exchange, dependencies);
    } finally {
      exchange.competitor?.leave();
    }
  };
}

/** A request's body in which each resource is written as it is registered: the library compares to the letter. */
function asRegistered(form: Form, body: Buffer, resources: readonly string[]): Buffer {
  if (!form.has('resource')) return body;
  const written = new URLSearchParams(form);
  written.delete('resource');
  for (const resource of form.getAll('resource').filter((text) => text !== '')) {
    written.append('resource', findResource(resources, resource) ?? resource);
  }
  return Buffer.from(written.toString());
}

/** Does what follows from the library's answer: commits it, or ends the grant of a code that was used before. */
async function conclude(
  ctx: Context,
  exchange: Exchange,
  dependencies: Dependencies,
): Promise<void> {
  const state = ctx.state as ExchangeState;
  state.readers = readersOf(ctx);
  if (state.failure !== undefined) throw state.failure;
  if (ctx.status === 200) {
    await commit(exchange, dependencies);
    return;
  }
  const { row } = exchange;
  const refusal = row && refusalOf(ctx, row);
  if (refusal === undefined) return;
  if (refusal === REUSE) await dependencies.endReusedGrant(ctx, row as ExchangeRow);
  noteRefusal(ctx, 'invalid_grant', refusal);
}

const REUSE = 'already consumed: its grant was ended';

/**
 * A second use of a code ends its grant whatever else is wrong with the request, once the client is authenticated: with
 * the wrong verifier it comes from a thief, and after a minute it is no less a second use (RFC 6749 §4.1.2).
 *
 * @returns `undefined` where the library's own reason is exact
 */
function refusalOf(ctx: Context, row: ExchangeRow): GrantRefusal | undefined {
  const { error } = (ctx.body ?? {}) as { readonly error?: unknown };
  // Raised only once the client is authenticated.
  if (error !== 'invalid_grant' || row.digest === null) return undefined;
  // Another client's code is left alone, used or not.
  if (row.grant_client_id !== row.client_id) return 'issued to another client';
  if (row.is_dead) return 'grant ended';
  if (row.is_consumed) return REUSE;
  return row.role === null ? 'membership ended' : undefined;
}

/**
 * Has the library answer, and keeps from it what it would decide otherwise than we do: it shows errors as a
 * page to whoever prefers one, and refuses clients that a browser calls from another origin (CORS is ours).
 */
async function judge(ctx: Context, body: Buffer, answer: () => Promise<unknown>): Promise<void> {
  const { req } = ctx;
  const { origin } = req.headers;
  req.headers.accept = 'application/json';
  if (req.headers['content-length'] !== undefined) {
    req.headers['content-length'] = String(body.length);
  }
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
async function commit(exchange: Exchange, { issue, lifetimes }: Dependencies): Promise<void> {
  const { row, competitor, access, refresh, isConsumed } = exchange;
  if (row === undefined || competitor === undefined || access === undefined || !isConsumed) {
    throw new Error('the library answered a token request without exchanging anything');
  }
  const left = secondsLeft(lifetimes, row);
  const outcome = await issue(
    {
      source: 'code',
      row,
      access: {
        id: createId('tok'),
        secret: access.secret,
        // A code is exchanged within a minute of its grant, which lives for a day at least.
        seconds: access.seconds,
        scopes: inCatalogOrder(textOf(access.payload, 'scope').split(' ')),
        audience: textOf(access.payload, 'aud'),
      },
      refresh: refresh && {
        ...refresh,
        id: createId('tok'),
        seconds: Math.min(refresh.seconds, left),
      },
      // A code is used once (RFC 6749 §4.1.2): there is no grace.
      answer: undefined,
    },
    competitor,
  );
  if (outcome === 'dead') throw invalidGrant('grant ended');
  if (outcome === 'lost') throw invalidGrant('lost to a concurrent request');
}
