import type { Context } from 'koa';

import {
  type AuthenticatedClient,
  type ClientAuthentication,
  DEVICE_GRANT,
} from '../../clients/index.js';
import type { SecretFormat } from '../../credentials/index.js';
import { createId } from '../../db/id.js';
import { answerJson } from '../../http/answer-headers.js';
import { singleValue } from '../../http/body/form.js';
import type { Readers } from '../../http/cors.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { noteFacts } from '../../http/request-facts.js';
import type { Resources } from '../../resource-servers/index.js';
import { delegableThroughOauth, type Role } from '../../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../../scopes/scope-set.js';
import { POLL_INTERVAL } from '../device/device-endpoint.js';
import type { DeviceStore, PolledDevice } from '../device/device-store.js';
import { secondsLeft, type Lifetimes } from '../lifetimes.js';
import type { TokenRequest } from './code-grant.js';
import { invalidGrant } from './grant-refusal.js';
import type { MintIdToken } from './id-token.js';
import type { IssueTokens } from './issue-tokens.js';
import { interpret, issuableScopes, type RefreshMeaning } from './refresh-request.js';

interface Dependencies {
  readonly clients: ClientAuthentication;
  readonly devices: DeviceStore;
  /** The resources that tokens can be for (RFC 8707). */
  readonly resources: Resources;
  readonly format: SecretFormat;
  readonly issueTokens: IssueTokens;
  readonly lifetimes: Lifetimes;
  readonly mintIdToken: MintIdToken;
}

/** A request that the user has approved. */
type Approved = PolledDevice & { readonly grant_id: string; readonly role: Role };

/**
 * Answers the polls of a device (RFC 8628 §3.4, §3.5). Its code is consumed, and the tokens are issued, in one statement.
 *
 * @throws OAuthError `authorization_pending`, `slow_down`, `expired_token`, `access_denied`, `invalid_grant`,
 *   `invalid_target`, `unauthorized_client`
 */
export type DeviceGrant = (ctx: Context, request: Omit<TokenRequest, 'body'>) => Promise<void>;

export function createDeviceGrant(dependencies: Dependencies): DeviceGrant {
  const { clients, devices, format } = dependencies;
  return async (ctx, { form, proof }) => {
    const client = await clients.authenticate(ctx, form);
    (ctx.state as { readers?: Readers }).readers = client.readers();
    noteFacts(ctx, { clientId: client.id });
    if (!client.mayUseDevices) {
      const description = 'The client did not register for the device grant.';
      throw new OAuthError(400, 'unauthorized_client', description);
    }
    const code = singleValue(form, 'device_code');
    if (code === undefined) {
      throw new OAuthError(400, 'invalid_request', 'device_code is missing');
    }
    const isWellFormed = format.read('dc', code) !== undefined;
    const row = isWellFormed ? await devices.poll(code, POLL_INTERVAL) : undefined;
    const approved = requireApproval(row, client);
    const { tenant_id: tenantId, account_id: accountId, grant_id: grantId } = approved;
    noteFacts(ctx, { tenantId, accountId, grantId });
    const named = form.getAll('resource').filter((resource) => resource !== '');
    const target = targetOf(approved, named, proof.key, dependencies.resources);
    await proof.claim(undefined);
    answerJson(ctx, await issue(approved, client, target, dependencies));
  };
}

function requireApproval(row: PolledDevice | undefined, client: AuthenticatedClient): Approved {
  if (row === undefined) throw invalidGrant('unknown token');
  if (row.payload.clientId !== client.id) throw invalidGrant('issued to another client');
  if (row.is_consumed) throw invalidGrant('already consumed');
  if (row.payload.isDenied) throw refusal('access_denied', 'The user denied the request.');
  if (row.remaining <= 0) throw refusal('expired_token', 'The device code has expired.');
  const { grant_id: grantId, role } = row;
  if (grantId === null) {
    // RFC 8628 §3.5: `slow_down` is a variant of `authorization_pending`. A decision is answered at once.
    if (row.is_early) throw refusal('slow_down', `Poll every ${POLL_INTERVAL} seconds.`);
    throw refusal('authorization_pending', 'The user has not decided yet.');
  }
  if (row.is_dead) throw invalidGrant('grant ended');
  if (role === null) throw invalidGrant('membership ended');
  if (row.is_suspended) {
    throw new OAuthError(503, 'temporarily_unavailable', 'The organization is suspended.');
  }
  return Object.assign({}, row, { grant_id: grantId, role });
}

function refusal(error: string, description: string): OAuthError {
  return new OAuthError(400, error, description);
}

/**
 * Chooses the resource of the access token, as a refresh does: the first that the poll names, or the first granted one.
 *
 * @throws OAuthError `invalid_target`, or `invalid_grant` if the granted resources are no longer registered
 */
function targetOf(
  { scopes, servers, payload }: Approved,
  resources: readonly string[],
  proofKey: string | undefined,
  { own }: Resources,
): RefreshMeaning {
  const granted = { payload: { scope: scopes.join(' '), resource: payload.resources }, servers };
  const meaning = interpret(granted, { scope: undefined, resources, proofKey }, own);
  if (meaning instanceof OAuthError) throw meaning;
  return meaning;
}

/** @returns JSON (RFC 6749 §5.1) */
async function issue(
  row: Approved,
  client: AuthenticatedClient,
  target: RefreshMeaning,
  { format, lifetimes, mintIdToken, issueTokens }: Dependencies,
): Promise<string> {
  const { audience, proofKey } = target;
  const delegated = commonTo(inCatalogOrder(row.scopes), delegableThroughOauth(row.role));
  const scopes = issuableScopes(row, target);
  const left = secondsLeft(lifetimes, row);
  const access = { secret: format.mint('at'), seconds: Math.min(lifetimes.accessToken, left) };
  const isRefreshable = client.mayRefresh && scopes.includes('offline_access');
  const refresh = isRefreshable
    ? { secret: format.mint('rt'), seconds: Math.min(lifetimes.refreshToken, left) }
    : undefined;
  const payload = payloadOf(row, delegated, refresh?.seconds ?? 0);
  const idToken = scopes.includes('openid')
    ? await mintIdToken(
        { ...row, payload, is_used: false, was_consumed_before: false },
        scopes,
        client.idTokenAlgorithm,
      )
    : undefined;
  const outcome = await issueTokens(
    {
      source: 'device',
      row,
      access: { ...access, id: createId('tok'), scopes, audience, proofKey },
      refresh: refresh && {
        ...refresh,
        id: createId('tok'),
        // Refresh tokens of public clients are bound to the key (RFC 9449 §5).
        payload: client.isConfidential ? payload : { ...payload, jkt: proofKey },
      },
      answer: undefined,
    },
    undefined,
  );
  if (outcome === 'dead') throw invalidGrant('grant ended');
  if (outcome === 'lost') throw invalidGrant('lost to a concurrent request');
  return JSON.stringify({
    access_token: access.secret,
    expires_in: access.seconds,
    id_token: idToken,
    refresh_token: refresh?.secret,
    scope: scopes.join(' '),
    token_type: proofKey === undefined ? 'Bearer' : 'DPoP',
  });
}

/** The payload of the first refresh token, with oidc-provider's member names. */
function payloadOf(row: Approved, scopes: readonly string[], seconds: number) {
  const now = Math.floor(Date.now() / 1000);
  return {
    scope: scopes.join(' '),
    resource: row.payload.resources,
    gty: DEVICE_GRANT,
    rotations: 0,
    iat: now,
    exp: now + seconds,
  };
}
