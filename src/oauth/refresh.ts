import type { Context } from 'koa';

import type {
  AuthenticatedClient,
  ClientAuthentication,
} from '../clients/client-authentication.js';
import type { SecretFormat } from '../credentials/secret-format.js';
import { createId } from '../db/id.js';
import type { Readers } from '../http/cors.js';
import type { Form } from '../http/form.js';
import { OAuthError } from '../http/oauth-error.js';
import type { Competition, Competitor } from './competition.js';
import type { MintIdToken } from './id-token.js';
import { invalidGrant, type Issue } from './issuing.js';
import { LIFETIMES } from './lifetimes.js';
import { readRequest, settle, type RefreshRequest } from './refresh-request.js';
import type { FindRefreshRow, RefreshPayload, RefreshRow } from './refresh-rows.js';
import type { RememberedAnswers } from './remembered-answers.js';

interface Dependencies {
  readonly clients: ClientAuthentication;
  readonly findRow: FindRefreshRow;
  readonly competition: Competition;
  readonly issue: Issue;
  readonly mintIdToken: MintIdToken;
  readonly remembered: RememberedAnswers;
  readonly format: SecretFormat;
  /** The resources that tokens can be for (RFC 8707). */
  readonly resources: readonly string[];
  /** Ends a grant because its refresh token was used twice. */
  readonly endReusedGrant: (ctx: Context, row: RefreshRow) => Promise<void>;
}

/**
 * Refreshing (RFC 6749 §6), around the library: client and token are looked up by one query, together with
 * whatever else arrives, and what comes of them is committed by one statement.
 *
 * @param since when the request came, by `performance.now()`
 * @throws OAuthError, Problem
 */
export type Refresh = (ctx: Context, form: Form, since: number) => Promise<void>;

export function createRefresh(dependencies: Dependencies): Refresh {
  const { clients, findRow, competition, format } = dependencies;
  return async (ctx, form, since) => {
    const secret = form.get('refresh_token') ?? '';
    const competitor = competition.join(secret);
    try {
      const [client, row] = await Promise.all([
        clients.authenticate(ctx, form),
        // What is mistyped or made up costs no query.
        format.read('rt', secret) === undefined ? undefined : findRow(secret, since),
      ]);
      (ctx.state as { readers?: Readers }).readers = client.readers();
      const request = readRequest(form, client);
      const answer = await answerTo(row, { ctx, client, request, competitor }, dependencies);
      ctx.type = 'application/json';
      ctx.body = answer;
    } finally {
      competitor.leave();
    }
  };
}

interface Asked {
  readonly ctx: Context;
  readonly client: AuthenticatedClient;
  readonly request: RefreshRequest;
  readonly competitor: Competitor;
}

/** @returns JSON (RFC 6749 §5.1) */
async function answerTo(
  row: RefreshRow | undefined,
  asked: Asked,
  dependencies: Dependencies,
): Promise<string> {
  // Another client's is left alone, used or not: else whoever finds it could end the family.
  if (row === undefined || row.client_id !== asked.client.id) throw invalidGrant();
  if (row.is_dead || row.role === null || row.remaining <= 0) throw invalidGrant();
  if (row.is_suspended) {
    // What was presented stays good.
    throw new OAuthError(503, 'temporarily_unavailable', 'The organization is suspended.');
  }
  const repeated = dependencies.remembered.open(row, asked.request);
  if (repeated !== undefined) return repeated;
  if (row.is_consumed) {
    await dependencies.endReusedGrant(asked.ctx, row);
    throw invalidGrant();
  }
  return rotate(row, asked, dependencies);
}

async function rotate(
  row: RefreshRow,
  { client, request, competitor }: Asked,
  { resources, format, mintIdToken, remembered, issue }: Dependencies,
): Promise<string> {
  const { scopes, audience } = settle(row, request, resources);
  const access = { secret: format.mint('at'), seconds: LIFETIMES.accessToken };
  const refresh = { secret: format.mint('rt'), seconds: LIFETIMES.refreshToken };
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
  await issue(competitor, {
    ...{ source: 'refresh', row },
    access: { ...access, id: createId('tok'), scopes, audience },
    refresh: { ...refresh, id: createId('tok'), payload: succeeding(row.payload) },
    answer: remembered.seal(row, request, answer),
  });
  return answer;
}

const GRANT_TYPE = 'refresh_token';

/** What is stored beside the successor, in the form in which the library stores the first one. */
function succeeding(payload: RefreshPayload): RefreshPayload {
  const { gty = '', rotations = 0 } = payload;
  const now = Math.floor(Date.now() / 1000);
  return {
    ...payload,
    ...{ iat: now, exp: now + LIFETIMES.refreshToken, rotations: rotations + 1 },
    gty: gty.endsWith(GRANT_TYPE) ? gty : `${gty} ${GRANT_TYPE}`,
  };
}
