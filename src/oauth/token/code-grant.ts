import type { Context, Middleware, Next } from 'koa';

import type { ClientAuthentication } from '../../clients/index.js';
import { createId } from '../../db/id.js';
import { originsOf, type Readers } from '../../http/cors.js';
import type { Form } from '../../http/body/form.js';
import { refuseUnusableHeader } from '../../http/client-credentials.js';
import { noteRefusal } from '../../http/errors/oauth-error.js';
import { noteFacts } from '../../http/request-facts.js';
import { findResource } from '../../http/resource-uri.js';
import type { Resources } from '../../resource-servers/index.js';
import { inCatalogOrder } from '../../scopes/scope-set.js';
import { invalidGrant, type GrantRefusal } from './grant-refusal.js';
import type { Attempt, InFlightRedemptions, IssueTokens } from './issue-tokens.js';
import { giveBody, oidcOf } from '../library/library-internals.js';
import { secondsLeft, type Lifetimes } from '../lifetimes.js';
import { textOf } from '../parameters.js';
import type { TokenProof } from './token-proof.js';
import type { CodeRow, CodeStore } from './code-store.js';

interface Dependencies {
  readonly codes: CodeStore;
  readonly inFlight: InFlightRedemptions;
  readonly issueTokens: IssueTokens;
  readonly lifetimes: Lifetimes;
  readonly clients: ClientAuthentication;
  /** The resources that tokens can be for (RFC 8707). */
  readonly resources: Resources;
  /** oidc-provider's response to a token request. */
  readonly protocol: Middleware;
  /** Ends a grant because its code was used twice. */
  readonly endReusedGrant: (ctx: Context, row: CodeRow) => Promise<void>;
}

interface ExchangeState {
  exchange?: Exchange;
  /** The error that oidc-provider answered as `server_error`. */
  failure?: unknown;
  readers?: Readers;
}

/** A parsed token request. */
export interface TokenRequest {
  readonly body: Buffer;
  readonly form: Form;
  /** When it was received, by `performance.now()`. */
  readonly since: number;
  readonly proof: TokenProof;
}

/** A token that oidc-provider asked to have stored. */
export interface IssuedToken {
  readonly secret: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly seconds: number;
}

/**
 * The unit of work of one code exchange. oidc-provider reads and writes one model at a time. All reads are answered by
 * one query, sent when the client is looked up. All writes are collected here and committed together.
 */
export interface Exchange {
  /** `undefined` before the client was looked up, and for an unknown client. */
  row: CodeRow | undefined;
  access: IssuedToken | undefined;
  refresh: IssuedToken | undefined;
  isConsumed: boolean;
  load(clientId: string): Promise<CodeRow | undefined>;
  /** Set once the client was looked up. */
  attempt: Attempt | undefined;
}

/** Bounds a presented id. The longest ones are URLs of metadata documents. */
const CLIENT_ID = /^[\x21-\x7e]{1,1000}$/;

/**
 * @param code as presented; `null` if none was
 * @param since when the request was received, by `performance.now()`
 * @param authenticatedId the client that has authenticated by an assertion
 */
function createExchange(
  { codes, inFlight }: Dependencies,
  code: string | null,
  since: number,
  authenticatedId: string | undefined,
): Exchange {
  const exchange: Exchange = {
    row: undefined,
    access: undefined,
    refresh: undefined,
    isConsumed: false,
    attempt: undefined,
    async load(clientId) {
      if (!CLIENT_ID.test(clientId)) return undefined;
      if (code !== null) exchange.attempt = inFlight.begin(code);
      const row = await codes.loadCode(clientId, code, since);
      // The library takes a client with a key for a public one.
      const hasKey = row?.metadata.token_endpoint_auth_method === 'private_key_jwt';
      if (hasKey && authenticatedId !== clientId) return undefined;
      exchange.row = row;
      return row;
    },
  };
  return exchange;
}

export type CodeGrant = (ctx: Context, next: Next, request: TokenRequest) => Promise<void>;

/**
 * Exchanges an authorization code (RFC 6749 §4.1.3), and refuses every other grant type except a refresh. oidc-provider
 * validates the request. Its writes are committed in one statement before the response is sent.
 *
 * @throws OAuthError
 */
export function createCodeGrant(dependencies: Dependencies): CodeGrant {
  const { protocol, resources, clients } = dependencies;
  return async (ctx, next, { body: sentBody, form: sentForm, since, proof }) => {
    const isAsserted = sentForm.has('client_assertion') || sentForm.has('client_assertion_type');
    if (!isAsserted) refuseUnusableHeader(ctx, sentForm);
    const client = isAsserted ? await clients.authenticate(ctx, sentForm) : undefined;
    const form = client === undefined ? sentForm : withoutAssertion(sentForm, client.id);
    const body = client === undefined ? sentBody : Buffer.from(form.toString());
    const exchange = createExchange(dependencies, form.get('code'), since, client?.id);
    (ctx.state as ExchangeState).exchange = exchange;
    try {
      const written = await asRegistered(form, body, resources);
      await runLibrary(ctx, written, () => protocol(ctx, next));
      noteExchange(ctx, exchange);
      await conclude(ctx, exchange, proof, dependencies);
    } finally {
      exchange.attempt?.end();
    }
  };
}

/** The request of a client that was authenticated by its assertion. */
function withoutAssertion(form: Form, clientId: string): Form {
  const rest = new URLSearchParams(form);
  rest.delete('client_assertion');
  rest.delete('client_assertion_type');
  rest.set('client_id', clientId);
  return rest;
}

/** The request's body with each resource in its registered spelling, because oidc-provider compares exactly. */
async function asRegistered(form: Form, body: Buffer, resources: Resources): Promise<Buffer> {
  if (!form.has('resource')) return body;
  const written = new URLSearchParams(form);
  written.delete('resource');
  const named = form.getAll('resource').filter((text) => text !== '');
  const served = await resources.servedAmong(named);
  for (const resource of named) {
    written.append('resource', findResource(served, resource) ?? resource);
  }
  return Buffer.from(written.toString());
}

/** Notes the client and, where the code is known, its grant. */
function noteExchange(ctx: Context, { row }: Exchange): void {
  if (row === undefined) return;
  noteFacts(ctx, { clientId: row.client_id });
  if (row.digest === null) return;
  noteFacts(ctx, {
    tenantId: row.tenant_id,
    accountId: row.account_id,
    grantId: row.grant_id,
  });
}

/** Commits what oidc-provider issued, or ends the grant of a code that was used before. */
async function conclude(
  ctx: Context,
  exchange: Exchange,
  proof: TokenProof,
  dependencies: Dependencies,
): Promise<void> {
  const state = ctx.state as ExchangeState;
  state.readers = readersOf(ctx, exchange);
  if (state.failure !== undefined) throw state.failure;
  if (ctx.status === 200) {
    // The key to which the client bound the code at authorization (RFC 9449 §10).
    await proof.claim((exchange.row?.payload['dpopJkt'] as string | undefined) ?? undefined);
    await commit(exchange, proof.key, isPublic(exchange), dependencies);
    if (proof.key !== undefined) ctx.body = { ...(ctx.body as object), token_type: 'DPoP' };
    return;
  }
  const { row } = exchange;
  const refusal = row && refusalOf(ctx, row);
  if (refusal === undefined) return;
  if (refusal === REUSE) await dependencies.endReusedGrant(ctx, row as CodeRow);
  noteRefusal(ctx, 'invalid_grant', refusal);
}

const REUSE = 'already consumed: its grant was ended';

/**
 * Determines the exact reason of a refusal. Once the client is authenticated, a second use of a code ends its grant, even
 * with a wrong verifier or after the code expired (RFC 6749 §4.1.2).
 *
 * @returns `undefined` if oidc-provider's own reason is exact
 */
function refusalOf(ctx: Context, row: CodeRow): GrantRefusal | undefined {
  const { error } = (ctx.body ?? {}) as { readonly error?: unknown };
  // oidc-provider raises `invalid_grant` only after client authentication.
  if (error !== 'invalid_grant' || row.digest === null) return undefined;
  // Another client's code is not ended, even if it was used before.
  if (row.grant_client_id !== row.client_id) return 'issued to another client';
  if (row.is_dead) return 'grant ended';
  if (row.is_consumed) return REUSE;
  return row.role === null ? 'membership ended' : undefined;
}

/**
 * Runs oidc-provider on the request. `Accept` is set to JSON, because it would render errors as HTML. `Origin` is hidden
 * and its CORS headers are removed, because `http/cors` decides who may read the response. `DPoP` is hidden, because
 * `token-proof` checks it for every grant type.
 */
async function runLibrary(ctx: Context, body: Buffer, run: () => Promise<unknown>): Promise<void> {
  const { req } = ctx;
  const { origin } = req.headers;
  req.headers.accept = 'application/json';
  if (req.headers['content-length'] !== undefined) {
    req.headers['content-length'] = String(body.length);
  }
  delete req.headers.origin;
  delete req.headers['dpop'];
  giveBody(ctx, body);
  try {
    await run();
  } finally {
    ctx.req = req;
    if (origin !== undefined) req.headers.origin = origin;
    const names = ctx.res.getHeaderNames().filter((name) => name.startsWith('access-control-'));
    for (const name of names) ctx.remove(name);
  }
}

/**
 * Origins that may read the response: for a confidential client the origins of its redirect URIs, for a public client
 * any. The error for an unknown client is readable from any origin, so that the client can register again.
 */
function readersOf(ctx: Context, exchange: Exchange): Readers {
  const isKnown = oidcOf(ctx)?.client !== undefined && exchange.row !== undefined;
  if (!isKnown || isPublic(exchange)) return '*';
  return originsOf(exchange.row?.metadata.redirect_uris ?? []);
}

/** The library takes a client with a key for a public one. */
function isPublic({ row }: Exchange): boolean {
  return row?.metadata.token_endpoint_auth_method === 'none';
}

/** @throws OAuthError `invalid_grant` if a concurrent request won, or the grant has ended */
async function commit(
  exchange: Exchange,
  proofKey: string | undefined,
  isPublicClient: boolean,
  { issueTokens, lifetimes }: Dependencies,
): Promise<void> {
  const { row, attempt, access, refresh, isConsumed } = exchange;
  if (row === undefined || attempt === undefined || access === undefined || !isConsumed) {
    throw new Error('oidc-provider answered a token request without exchanging a code');
  }
  const left = secondsLeft(lifetimes, row);
  const outcome = await issueTokens(
    {
      source: 'code',
      row,
      access: {
        id: createId('tok'),
        secret: access.secret,
        // No cut to the grant's end: a code lives a minute and a grant at least a day.
        seconds: access.seconds,
        scopes: inCatalogOrder(textOf(access.payload, 'scope').split(' ')),
        audience: textOf(access.payload, 'aud'),
        proofKey,
      },
      refresh: refresh && {
        ...refresh,
        id: createId('tok'),
        // Refresh tokens of confidential clients are bound to the client by its authentication (RFC 9449 §5).
        payload: isPublicClient ? { ...refresh.payload, jkt: proofKey } : refresh.payload,
        seconds: Math.min(refresh.seconds, left),
      },
      // Codes have no grace window (RFC 6749 §4.1.2).
      answer: undefined,
    },
    attempt,
  );
  if (outcome === 'dead') throw invalidGrant('grant ended');
  if (outcome === 'lost') throw invalidGrant('lost to a concurrent request');
}
