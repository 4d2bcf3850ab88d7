import type { Context } from 'koa';

import type {
  AuthenticatedClient,
  ClientAuthentication,
} from '../clients/client-authentication.js';
import type { SecretFormat } from '../credentials/secret-format.js';
import { createId } from '../db/id.js';
import type { AttemptVerdict } from '../http/attempts.js';
import type { Readers } from '../http/cors.js';
import type { Form } from '../http/form.js';
import { OAuthError } from '../http/oauth-error.js';
import type { Competition, Competitor } from './competition.js';
import type { GraceWindow } from './grace-window.js';
import { invalidGrant, type GrantRefusal } from './grant-refusal.js';
import type { MintIdToken } from './id-token.js';
import type { Issue } from './issuing.js';
import { secondsLeft, type Lifetimes } from './lifetimes.js';
import {
  interpret,
  issuableScopes,
  readRequest,
  type RefreshMeaning,
  type RefreshRequest,
} from './refresh-request.js';
import type { FindRefreshRow, RefreshPayload, RefreshRow } from './refresh-rows.js';

interface Dependencies {
  readonly clients: ClientAuthentication;
  readonly findRow: FindRefreshRow;
  readonly competition: Competition;
  readonly issue: Issue;
  readonly mintIdToken: MintIdToken;
  /** `undefined` if there is none: then the losers of a race get nothing. */
  readonly graceWindow: GraceWindow | undefined;
  readonly lifetimes: Lifetimes;
  readonly admitRefresh: (grantId: string) => AttemptVerdict;
  readonly format: SecretFormat;
  /** The resources that tokens can be for (RFC 8707). */
  readonly resources: readonly string[];
  /** Ends a grant because its refresh token was used twice. */
  readonly endReusedGrant: (ctx: Context, row: RefreshRow) => Promise<void>;
}

/**
 * Refreshing (RFC 6749 §6), around the library: client and token are looked up by one query, together with
 * whatever else arrives, and the outcome is committed by one statement.
 *
 * @param since when the request came, by `performance.now()`
 * @throws OAuthError, Problem
 */
export type Refresh = (ctx: Context, form: Form, since: number) => Promise<void>;

export function createRefresh(dependencies: Dependencies): Refresh {
  const { clients, findRow, competition, graceWindow, format } = dependencies;
  return async (ctx, form, since) => {
    const secret = form.get('refresh_token') ?? '';
    const competitor = graceWindow === undefined ? competition.join(secret) : undefined;
    try {
      const isWellFormed = format.read('rt', secret) !== undefined;
      const [client, row] = await Promise.all([
        clients.authenticate(ctx, form),
        // A mistyped or made-up token costs no query.
        isWellFormed ? findRow(secret, since) : undefined,
      ]);
      (ctx.state as { readers?: Readers }).readers = client.readers();
      const request = readRequest(form, client);
      if (row === undefined) throw invalidGrant(isWellFormed ? 'unknown token' : 'malformed token');
      const answer = await answerTo(row, { ctx, client, request, competitor }, dependencies);
      ctx.type = 'application/json';
      ctx.body = answer;
    } finally {
      competitor?.leave();
    }
  };
}

interface Asked {
  readonly ctx: Context;
  readonly client: AuthenticatedClient;
  readonly request: RefreshRequest;
  readonly competitor: Competitor | undefined;
}

/** @returns JSON (RFC 6749 §5.1) */
async function answerTo(
  row: RefreshRow,
  asked: Asked,
  dependencies: Dependencies,
): Promise<string> {
  const { graceWindow, lifetimes, resources } = dependencies;
  const refusal = refusalOf(row, asked.client, lifetimes);
  if (refusal !== undefined) throw invalidGrant(refusal);
  if (row.is_suspended) {
    // The token stays good.
    throw new OAuthError(503, 'temporarily_unavailable', 'The organization is suspended.');
  }
  const meaning = interpret(row, asked.request, resources);
  if (!row.is_used) {
    if (meaning instanceof OAuthError) throw meaning;
    assertAdmitted(dependencies.admitRefresh(row.grant_id));
    const answer = await rotate(row, meaning, asked, dependencies);
    if (answer !== undefined) return answer;
  }
  if (!(meaning instanceof OAuthError)) {
    const repeated = await graceWindow?.repeat(row, meaning);
    if (repeated !== undefined) return repeated;
  }
  if (!row.was_consumed_before) throw invalidGrant('lost to a concurrent request');
  await dependencies.endReusedGrant(asked.ctx, row);
  throw invalidGrant('already consumed: its grant was ended');
}

function refusalOf(
  row: RefreshRow,
  client: AuthenticatedClient,
  lifetimes: Lifetimes,
): GrantRefusal | undefined {
  // Another client's token is left alone, used or not: else a finder could end the family.
  if (row.client_id !== client.id) return 'issued to another client';
  if (row.is_dead) return 'grant ended';
  if (row.role === null) return 'membership ended';
  if (secondsLeft(lifetimes, row) < 1) return 'grant older than GRANT_MAX_DAYS';
  // Used or not: how long an expired row is still known depends on cleanup.
  return row.remaining <= 0 ? 'expired' : undefined;
}

/** @throws OAuthError 429: nothing was consumed, and the token stays good */
function assertAdmitted(verdict: AttemptVerdict): void {
  if (verdict.isAllowed) return;
  throw new OAuthError(
    429,
    'temporarily_unavailable',
    'This grant is refreshed too often. Try again later.',
    { 'Retry-After': String(verdict.retryAfterSeconds) },
  );
}

/** @returns `undefined` if another request was faster */
async function rotate(
  row: RefreshRow,
  meaning: RefreshMeaning,
  { client, competitor }: Asked,
  { lifetimes, format, mintIdToken, graceWindow, issue }: Dependencies,
): Promise<string | undefined> {
  const scopes = issuableScopes(row, meaning);
  const left = secondsLeft(lifetimes, row);
  const access = { secret: format.mint('at'), seconds: Math.min(lifetimes.accessToken, left) };
  const refresh = { secret: format.mint('rt'), seconds: Math.min(lifetimes.refreshToken, left) };
  const answer = JSON.stringify({
    access_token: access.secret,
    expires_in: access.seconds,
    ...(scopes.includes('openid') && {
      id_token: await mintIdToken(row, scopes, client.idTokenAlgorithm),
    }),
    refresh_token: refresh.secret,
    scope: scopes.join(' '),
    token_type: 'Bearer',
  });
  const outcome = await issue(
    {
      source: 'refresh',
      row,
      access: { ...access, id: createId('tok'), scopes, audience: meaning.audience },
      refresh: {
        ...refresh,
        id: createId('tok'),
        payload: succeeding(row.payload, refresh.seconds),
      },
      answer: graceWindow?.seal(row, meaning, answer),
    },
    competitor,
  );
  if (outcome === 'dead') throw invalidGrant('grant ended');
  return outcome === 'issued' ? answer : undefined;
}

const GRANT_TYPE = 'refresh_token';

/** What is stored beside the successor, in the form in which the library stores the first one. */
function succeeding(payload: RefreshPayload, seconds: number): RefreshPayload {
  const { gty = '', rotations = 0 } = payload;
  const now = Math.floor(Date.now() / 1000);
  return {
    ...payload,
    iat: now,
    exp: now + seconds,
    rotations: rotations + 1,
    gty: gty.endsWith(GRANT_TYPE) ? gty : `${gty} ${GRANT_TYPE}`,
  };
}
