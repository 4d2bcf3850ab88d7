import type { Context, Middleware } from 'koa';

import type { ClientAuthentication } from '../clients/client-authentication.js';
import type { Keyring } from '../credentials/keyring.js';
import type { SecretFormat } from '../credentials/secret-format.js';
import type { RunPrepared } from '../db/prepared.js';
import { timeOfArrival } from '../http/arrival.js';
import type { AttemptVerdict } from '../http/attempts.js';
import type { Readers } from '../http/cors.js';
import { parseForm, readRawForm } from '../http/form.js';
import type { SigningKeys } from '../signing-keys/signing-keys.js';
import { createCodeExchange } from './code-exchange.js';
import { createCompetition } from './competition.js';
import { createGraceWindow } from './grace-window.js';
import { createExchangeStore, type ExchangeRow } from './exchange-store.js';
import { createIdTokens } from './id-token.js';
import { createIssuing } from './issuing.js';
import { createLifetimes } from './lifetimes.js';
import { createRefresh } from './refresh.js';
import type { FindRefreshRow, RefreshRow } from './refresh-rows.js';

interface Dependencies {
  readonly issuer: string;
  /** The resources that tokens can be for (RFC 8707). */
  readonly resources: readonly string[];
  readonly clients: ClientAuthentication;
  readonly findRefreshRow: FindRefreshRow;
  readonly run: RunPrepared;
  readonly signingKeys: SigningKeys;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** The library's own answer to a token request. */
  readonly protocol: Middleware;
  /** `REFRESH_GRACE_SECONDS`; 0 for none. */
  readonly graceSeconds: number;
  /** Counts a refresh of a grant. */
  readonly admitRefresh: (grantId: string) => AttemptVerdict;
  /** `GRANT_MAX_DAYS` */
  readonly grantMaxDays: number;
  /** Ends a grant because its code or refresh token was used twice. */
  readonly endReusedGrant: (ctx: Context, row: ExchangeRow | RefreshRow) => Promise<void>;
}

/**
 * The token endpoint (RFC 6749 §3.2). Refreshing, which clients do all day, is done by our own code; codes
 * are exchanged by the library, which also refuses whatever is neither. Of several requests with one
 * code or refresh token exactly one commits; when the database cannot be asked nothing is consumed.
 *
 * @throws OAuthError, Problem
 */
export function createTokenEndpoint(dependencies: Dependencies): Middleware {
  const { issuer, signingKeys, run, keyring, graceSeconds } = dependencies;
  const store = createExchangeStore(run, keyring);
  const competition = createCompetition();
  const issue = createIssuing(store);
  const lifetimes = createLifetimes(dependencies.grantMaxDays);
  const exchangeCode = createCodeExchange({
    ...dependencies,
    store,
    competition,
    issue,
    lifetimes,
  });
  const refresh = createRefresh({
    ...dependencies,
    competition,
    issue,
    lifetimes,
    findRow: dependencies.findRefreshRow,
    mintIdToken: createIdTokens(issuer, signingKeys),
    graceWindow: graceSeconds === 0 ? undefined : createGraceWindow(run, keyring, graceSeconds),
  });

  return async (ctx, next) => {
    // Who is not known yet may read that, in any page.
    (ctx.state as { readers?: Readers }).readers = '*';
    const body = await readRawForm(ctx);
    // What was begun early and sent late came late: else it could pass as a competitor of whatever came between.
    const since = timeOfArrival();
    const form = parseForm(body);
    if (form.get('grant_type') === 'refresh_token') await refresh(ctx, form, since);
    else await exchangeCode(ctx, next, { body, form, since });
  };
}
