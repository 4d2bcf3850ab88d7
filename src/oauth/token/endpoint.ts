import type { Context, Middleware } from 'koa';

import { type ClientAuthentication, DEVICE_GRANT } from '../../clients/index.js';
import type { Keyring, SecretFormat } from '../../credentials/index.js';
import type { RunPrepared } from '../../db/prepared.js';
import type { FindRefreshRow, RefreshRow } from '../../grants/index.js';
import type { AttemptVerdict } from '../../rate-limits/index.js';
import type { Readers } from '../../http/cors.js';
import { parseForm, readRawForm } from '../../http/body/form.js';
import { receivedAt } from '../../http/received-at.js';
import type { Resources } from '../../resource-servers/index.js';
import type { SigningKeys } from '../../signing-keys/index.js';
import { createCodeGrant } from './code-grant.js';
import { createDeviceGrant } from './device-grant.js';
import { createGraceWindow } from './grace-window.js';
import { createIdTokens } from './id-token.js';
import { createExchangeStore } from './exchange-store.js';
import { createKeyGrants, type KeyGrantDependencies } from './key-grants.js';
import { createInFlightRedemptions, createIssueTokens } from './issue-tokens.js';
import type { DeviceStore } from '../device/device-store.js';
import { createLifetimes } from '../lifetimes.js';
import { createRefreshGrant } from './refresh-grant.js';
import type { OAuthMetrics } from '../oauth-metrics.js';
import type { ReadTokenProof } from './token-proof.js';
import { createCodeStore, type CodeRow } from './code-store.js';

interface Dependencies extends KeyGrantDependencies {
  readonly issuer: string;
  /** The resources that tokens can be for (RFC 8707). */
  readonly resources: Resources;
  readonly clients: ClientAuthentication;
  readonly devices: DeviceStore;
  readonly readProof: ReadTokenProof;
  readonly findRefreshRow: FindRefreshRow;
  readonly run: RunPrepared;
  readonly signingKeys: SigningKeys;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** oidc-provider's response to a token request. */
  readonly protocol: Middleware;
  /** `REFRESH_GRACE_SECONDS`; 0 for none. */
  readonly graceSeconds: number;
  /** Counts a refresh of a grant. */
  readonly admitRefresh: (grantId: string) => AttemptVerdict;
  /** `GRANT_MAX_DAYS` */
  readonly grantMaxDays: number;
  /** Ends a grant because its code or refresh token was used twice. */
  readonly endReusedGrant: (ctx: Context, row: CodeRow | RefreshRow) => Promise<void>;
  readonly metrics: Pick<OAuthMetrics, 'countIssued' | 'countReuse'>;
}

/**
 * The token endpoint (RFC 6749 §3.2). Refreshes, the most frequent requests, do not use oidc-provider (perf: decision
 * 7). oidc-provider exchanges codes and refuses unknown grant types. Exactly one of several requests with the same code
 * or refresh token commits. Nothing is consumed while the database is unavailable.
 *
 * @throws OAuthError, Problem
 */
export function createTokenEndpoint(dependencies: Dependencies): Middleware {
  const { issuer, signingKeys, run, keyring, graceSeconds, metrics, endReusedGrant, readProof } =
    dependencies;
  const inFlight = createInFlightRedemptions();
  const issueTokens = createIssueTokens(run, keyring, metrics.countIssued);
  const lifetimes = createLifetimes(dependencies.grantMaxDays);
  const exchangeCode = createCodeGrant({
    ...dependencies,
    endReusedGrant: (ctx, row) => {
      metrics.countReuse('authorization_code');
      return endReusedGrant(ctx, row);
    },
    codes: createCodeStore(run, keyring),
    inFlight,
    issueTokens,
    lifetimes,
  });
  const mintIdToken = createIdTokens(issuer, signingKeys);
  const pollDevice = createDeviceGrant({ ...dependencies, issueTokens, lifetimes, mintIdToken });
  const refresh = createRefreshGrant({
    ...dependencies,
    endReusedGrant: (ctx, row) => {
      metrics.countReuse('refresh_token');
      return endReusedGrant(ctx, row);
    },
    inFlight,
    issueTokens,
    lifetimes,
    mintIdToken,
    graceWindow: graceSeconds === 0 ? undefined : createGraceWindow(run, keyring, graceSeconds),
  });

  const keyGrants = createKeyGrants({ ...dependencies, store: createExchangeStore(run, keyring) });

  return async (ctx, next) => {
    // Until the client is authenticated, any origin may read the error.
    (ctx.state as { readers?: Readers }).readers = '*';
    const body = await readRawForm(ctx);
    // Taken after the body: a request that was begun early and sent late must not count as concurrent.
    const since = receivedAt();
    const form = parseForm(body);
    const proof = await readProof(ctx);
    const grantType = form.get('grant_type') ?? '';
    const keyGrant = keyGrants.get(grantType);
    if (grantType === 'refresh_token') await refresh(ctx, { form, since, proof });
    else if (grantType === DEVICE_GRANT) await pollDevice(ctx, { form, since, proof });
    else if (keyGrant !== undefined) await keyGrant(ctx, { form, proof });
    else await exchangeCode(ctx, next, { body, form, since, proof });
  };
}
