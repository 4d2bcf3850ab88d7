import { setTimeout as pause } from 'node:timers/promises';
import type { Context, Middleware } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';

import type { Keyring } from '../credentials/keyring.js';
import { createId } from '../db/id.js';
import { originsOf, type Readers } from '../http/cors.js';
import { OAuthError } from '../http/oauth-error.js';
import { inCatalogOrder } from '../scopes/scope-set.js';
import { createCompetition } from './competition.js';
import { createExchange, type Exchange } from './exchange.js';
import type { ExchangeRow, ExchangeStore, Redemption } from './exchange-store.js';
import { textOf } from './parameters.js';

interface Dependencies {
  readonly store: ExchangeStore;
  readonly keyring: Keyring;
  /** The library's own answer to a token request. */
  readonly protocol: Middleware;
  /** `REFRESH_GRACE_SECONDS`; 0 for none. */
  readonly graceSeconds: number;
  /** Ends a grant because its code or refresh token was used twice. */
  readonly endReusedGrant: (ctx: Context, row: ExchangeRow) => Promise<void>;
}

interface TokenState {
  exchange?: Exchange;
  /** What the library caught and answered as `server_error`. */
  failure?: unknown;
  readers?: Readers;
}

/**
 * Requests that compete for one code or token are seldom read at once: the others come milliseconds later,
 * or to another replica. So the winner's answer is held back for a moment, and what comes until then is
 * no reuse: nobody can have been told yet that the token is consumed. Longer where others have been seen.
 */
const HELD_BACK_MS = { alone: 50, competing: 200 } as const;
/** Timers may be early by a millisecond. */
const TIMER_SLACK_MS = 2;

type TokenAnswer = Readonly<Record<string, unknown>>;

/**
 * The token endpoint (RFC 6749 §3.2): the library judges the request, and what it asked to have stored is
 * committed at once afterwards, before the answer leaves. Of several requests with one code or
 * refresh token exactly one commits; when the database cannot be asked nothing is consumed.
 *
 * @throws OAuthError
 */
export function createTokenEndpoint(dependencies: Dependencies): Middleware {
  const competition = createCompetition();
  return async (ctx, next) => {
    const params = () => oidcOf(ctx)?.params ?? {};
    const exchange = createExchange(dependencies.store, competition, params);
    (ctx.state as TokenState).exchange = exchange;
    try {
      await judge(ctx, () => dependencies.protocol(ctx, next));
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
  const state = ctx.state as TokenState;
  state.readers = readersOf(ctx);
  if (state.failure !== undefined) throw state.failure;
  if (exchange.replay !== undefined) replay(ctx, exchange, dependencies);
  else if (exchange.isReuse && exchange.row !== undefined) {
    await dependencies.endReusedGrant(ctx, exchange.row);
  } else if (ctx.status === 200) await commit(ctx, exchange, dependencies);
}

/**
 * Has the library answer, and keeps from it what it would decide otherwise than we do: it shows errors as a
 * page to whoever prefers one, and refuses clients that a browser calls from another origin (CORS is ours).
 */
async function judge(ctx: Context, answer: () => Promise<unknown>): Promise<void> {
  const { headers } = ctx.req;
  const { origin } = headers;
  headers.accept = 'application/json';
  delete headers.origin;
  try {
    await answer();
  } finally {
    if (origin !== undefined) headers.origin = origin;
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
async function commit(ctx: Context, exchange: Exchange, dependencies: Dependencies): Promise<void> {
  const { source, row, access, refresh, isConsumed } = exchange;
  if (source === undefined || row === undefined || access === undefined || !isConsumed) {
    throw new Error('the library answered a token request without exchanging anything');
  }
  const heldBack = exchange.competitor?.hasMetOthers()
    ? HELD_BACK_MS.competing
    : HELD_BACK_MS.alone;
  const outcome = await dependencies.store.redeem({
    source,
    row,
    access: {
      id: createId('tok'),
      secret: access.secret,
      scopes: inCatalogOrder(textOf(access.payload, 'scope').split(' ')),
      audience: textOf(access.payload, 'aud'),
      seconds: access.seconds,
    },
    refresh: refresh && { id: createId('tok'), ...refresh },
    answer: rememberedAnswer(ctx.body as TokenAnswer, exchange, dependencies),
    competingSeconds: heldBack / 1000,
  });
  if (outcome !== 'issued') throw new OAuthError(400, 'invalid_grant', 'grant request is invalid');
  await pause(heldBack + TIMER_SLACK_MS);
}

/** A grace window is for refreshing only: a code is used once (RFC 6749 §4.1.2). */
function rememberedAnswer(
  answer: TokenAnswer,
  { source, row, requestHash }: Exchange,
  { keyring, graceSeconds }: Dependencies,
): Redemption['answer'] {
  if (source !== 'refresh' || graceSeconds === 0) return undefined;
  const sealed = keyring.seal(Buffer.from(JSON.stringify(answer)), contextOf(row?.digest));
  return { sealed, requestHash, seconds: graceSeconds };
}

function replay(
  ctx: Context,
  { row, replay: ciphertext }: Exchange,
  { keyring }: Dependencies,
): void {
  const sealed = { ciphertext: ciphertext ?? Buffer.alloc(0), keyId: row?.answer_key_id ?? '' };
  ctx.status = 200;
  ctx.body = JSON.parse(keyring.open(sealed, contextOf(row?.digest)).toString()) as TokenAnswer;
}

/** An answer opens only beside the token that it was the answer to. */
function contextOf(digest: string | null | undefined): string {
  return `refresh answer ${digest}`;
}

/** What the library keeps with a request that it has seen. */
export function oidcOf(ctx: Context): KoaContextWithOIDC['oidc'] | undefined {
  return (ctx as unknown as Partial<KoaContextWithOIDC>).oidc;
}
