import type { Context } from 'koa';

import type { AuthenticatedClient, ClientAuthentication } from '../../clients/index.js';
import type { SecretFormat } from '../../credentials/index.js';
import { createId } from '../../db/id.js';
import type { FindRefreshRow, RefreshPayload, RefreshRow } from '../../grants/index.js';
import type { Resources } from '../../resource-servers/index.js';
import type { AttemptVerdict } from '../../rate-limits/index.js';
import { answerJson } from '../../http/answer-headers.js';
import type { Readers } from '../../http/cors.js';
import { assertAllowed, OAuthError } from '../../http/errors/oauth-error.js';
import { noteFacts, type RequestFacts } from '../../http/request-facts.js';
import type { GraceWindow } from './grace-window.js';
import { invalidGrant, type GrantRefusal } from './grant-refusal.js';
import type { TokenRequest } from './code-grant.js';
import type { MintIdToken } from './id-token.js';
import type { Attempt, InFlightRedemptions, IssueTokens } from './issue-tokens.js';
import { secondsLeft, type Lifetimes } from '../lifetimes.js';
import type { TokenProof } from './token-proof.js';
import {
  interpret,
  issuableScopes,
  readRequest,
  type RefreshMeaning,
  type RefreshRequest,
} from './refresh-request.js';

interface Dependencies {
  readonly clients: ClientAuthentication;
  readonly findRefreshRow: FindRefreshRow;
  readonly inFlight: InFlightRedemptions;
  readonly issueTokens: IssueTokens;
  readonly mintIdToken: MintIdToken;
  /** `undefined` if `REFRESH_GRACE_SECONDS` is 0: then the losers of a race get `invalid_grant`. */
  readonly graceWindow: GraceWindow | undefined;
  readonly lifetimes: Lifetimes;
  readonly admitRefresh: (grantId: string) => AttemptVerdict;
  readonly format: SecretFormat;
  /** The resources that tokens can be for (RFC 8707). */
  readonly resources: Resources;
  /** Ends a grant because its refresh token was used twice. */
  readonly endReusedGrant: (ctx: Context, row: RefreshRow) => Promise<void>;
}

/**
 * Refreshes tokens (RFC 6749 §6) without oidc-provider. Client and token are looked up in the shared batches of
 * `credentials/verification/lookup`. One statement commits the outcome.
 *
 * @throws OAuthError, Problem
 */
export type RefreshGrant = (ctx: Context, request: Omit<TokenRequest, 'body'>) => Promise<void>;

export function createRefreshGrant(dependencies: Dependencies): RefreshGrant {
  const { clients, findRefreshRow, inFlight, graceWindow, format } = dependencies;
  return async (ctx, { form, since, proof }) => {
    const secret = form.get('refresh_token') ?? '';
    const attempt = graceWindow === undefined ? inFlight.begin(secret) : undefined;
    try {
      const isWellFormed = format.read('rt', secret) !== undefined;
      const [client, row] = await Promise.all([
        clients.authenticate(ctx, form),
        // A malformed token costs no query.
        isWellFormed ? findRefreshRow(secret, since) : undefined,
      ]);
      (ctx.state as { readers?: Readers }).readers = client.readers();
      const request = readRequest(form, client);
      if (row === undefined) throw invalidGrant(isWellFormed ? 'unknown token' : 'malformed token');
      noteFacts(ctx, grantFactsOf(row));
      const answer = await answerTo(row, { ctx, client, request, attempt, proof }, dependencies);
      answerJson(ctx, answer);
    } finally {
      attempt?.end();
    }
  };
}

/** Whose grant a refresh token belongs to, for the log. */
function grantFactsOf({ tenant_id, account_id, grant_id }: RefreshRow): RequestFacts {
  return { tenantId: tenant_id, accountId: account_id, grantId: grant_id };
}

interface Asked {
  readonly ctx: Context;
  readonly client: AuthenticatedClient;
  readonly request: RefreshRequest;
  readonly attempt: Attempt | undefined;
  readonly proof: TokenProof;
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
    // Nothing is consumed: the token works again once the tenant is resumed.
    throw new OAuthError(503, 'temporarily_unavailable', 'The organization is suspended.');
  }
  const asking = { ...asked.request, proofKey: asked.proof.key };
  const meaning = interpret(row, asking, resources.own);
  await asked.proof.claim(row.payload.jkt);
  if (!row.is_used) {
    if (meaning instanceof OAuthError) throw meaning;
    // Nothing is consumed.
    assertAllowed(dependencies.admitRefresh(row.grant_id), 'Tokens are requested too often');
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
  // Another client's token is not ended, even if it was used before: a client that found it could end the grant.
  if (row.client_id !== client.id) return 'issued to another client';
  if (row.is_dead) return 'grant ended';
  if (row.role === null) return 'membership ended';
  if (secondsLeft(lifetimes, row) < 1) return 'grant older than GRANT_MAX_DAYS';
  // Checked before reuse: how long an expired row is kept depends on cleanup.
  return row.remaining <= 0 ? 'expired' : undefined;
}

/** @returns `undefined` if a concurrent request won */
async function rotate(
  row: RefreshRow,
  meaning: RefreshMeaning,
  { client, attempt, proof }: Asked,
  { lifetimes, format, mintIdToken, graceWindow, issueTokens }: Dependencies,
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
    token_type: proof.key === undefined ? 'Bearer' : 'DPoP',
  });
  const outcome = await issueTokens(
    {
      source: 'refresh',
      row,
      access: {
        ...access,
        id: createId('tok'),
        scopes,
        audience: meaning.audience,
        proofKey: proof.key,
      },
      refresh: {
        ...refresh,
        id: createId('tok'),
        payload: {
          ...payloadOfSuccessor(row.payload, refresh.seconds),
          // Refresh tokens of public clients are bound to the key (RFC 9449 §5).
          ...(!client.isConfidential && { jkt: proof.key }),
        },
      },
      answer: graceWindow?.seal(row, meaning, answer),
    },
    attempt,
  );
  if (outcome === 'dead') throw invalidGrant('grant ended');
  return outcome === 'issued' ? answer : undefined;
}

const GRANT_TYPE = 'refresh_token';

/** The successor's payload, in the form in which oidc-provider stores the first refresh token. */
function payloadOfSuccessor(payload: RefreshPayload, seconds: number): RefreshPayload {
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
