import type { Context } from 'koa';

import {
  authenticateKey as authenticateKeyAsClient,
  type ClientAuthentication,
  verifyKey,
} from '../../clients/index.js';
import type {
  ActivityRecorder,
  Principal,
  SecretFormat,
  Verifier,
} from '../../credentials/index.js';
import { createId, isId } from '../../db/id.js';
import { answerJson } from '../../http/answer-headers.js';
import { singleValue, type Form } from '../../http/body/form.js';
import { clientRefused, readClientCredentials } from '../../http/client-credentials.js';
import type { Readers } from '../../http/cors.js';
import { assertAllowed, OAuthError } from '../../http/errors/oauth-error.js';
import { Problem } from '../../http/errors/problem.js';
import { noteFacts } from '../../http/request-facts.js';
import type { AttemptVerdict } from '../../rate-limits/index.js';
import type { Resources } from '../../resource-servers/index.js';
import type { SpaceContextResolver } from '../../spaces/index.js';
import { LIFETIMES } from '../lifetimes.js';
import { chooseTarget, exchangeableScopes } from './exchange-request.js';
import type { OAuthMetrics } from '../oauth-metrics.js';
import type { ExchangeStore } from './exchange-store.js';
import type { TokenProof } from './token-proof.js';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** The kinds of keys that can be exchanged. */
const PARENTS: readonly string[] = ['secret', 'service', 'agent'];

export interface KeyGrantDependencies {
  readonly verifier: Verifier;
  readonly clients: ClientAuthentication;
  readonly resources: Resources;
  readonly spaceContext: Pick<SpaceContextResolver, 'enter'>;
  readonly activity: Pick<ActivityRecorder, 'noteUse'>;
  readonly format: SecretFormat;
  readonly clientAddress: (request: Context['req']) => string;
  /** The header that names a space. */
  readonly spaceHeader: string;
  readonly metrics: Pick<OAuthMetrics, 'countIssued'>;
  /** Counts an exchange of a key. */
  readonly admitExchange: (keyId: string) => AttemptVerdict;
}

/** A parsed token request. */
interface KeyRequest {
  readonly form: Form;
  readonly proof: TokenProof;
}

/** Answers a token request for a key. @throws OAuthError, Problem */
type KeyGrant = (ctx: Context, request: KeyRequest) => Promise<void>;

/**
 * Issues access tokens for keys: token exchange (RFC 8693) with the key as the subject token, and `client_credentials`
 * (RFC 6749 §4.4) with the key as the client. The token keeps the key's restrictions and ends with it. It is never
 * refreshed, and never exchanged again.
 *
 * @returns the grants by grant type
 */
export function createKeyGrants(
  dependencies: KeyGrantDependencies & { readonly store: ExchangeStore },
): ReadonlyMap<string, KeyGrant> {
  const issue = createIssue(dependencies);
  const exchange: KeyGrant = async (ctx, request) => {
    const parent = await authenticateSubject(ctx, request.form, dependencies);
    const issued = await issue(ctx, request, parent);
    dependencies.metrics.countIssued('subject');
    answerJson(ctx, JSON.stringify({ ...issued, issued_token_type: ACCESS_TOKEN }));
  };
  const clientCredentials: KeyGrant = async (ctx, request) => {
    const parent = await authenticateKey(ctx, request.form, dependencies);
    const issued = await issue(ctx, request, parent);
    dependencies.metrics.countIssued('key');
    answerJson(ctx, JSON.stringify(issued));
  };
  return new Map([
    [TOKEN_EXCHANGE, exchange],
    ['client_credentials', clientCredentials],
  ]);
}

function createIssue(dependencies: KeyGrantDependencies & { readonly store: ExchangeStore }) {
  const { resources, format, store, activity, clientAddress, admitExchange } = dependencies;
  return async (ctx: Context, { form, proof }: KeyRequest, parent: Principal) => {
    noteFacts(ctx, { tenantId: parent.tenantId, credentialId: parent.credentialId });
    readableBy(ctx, []);
    singleValue(form, 'grant_type');
    const target = await chooseTarget(form, resources);
    const scopes = exchangeableScopes(parent, singleValue(form, 'scope'), target);
    const spaces = await spacesNamedIn(ctx, parent, dependencies);
    assertAllowed(admitExchange(parent.credentialId), 'Tokens are requested too often');
    await proof.claim(parent.proofKey ?? undefined);
    const secret = format.mint('at');
    const seconds = await store.insert({
      secret,
      scopes,
      spaces,
      id: createId('tok'),
      parentId: parent.credentialId,
      audience: target.audience,
      serverId: target.serverId,
      proofKey: proof.key,
      seconds: LIFETIMES.accessToken,
    });
    if (seconds === undefined) throw invalidRequest('the key has ended', 'ended meanwhile');
    activity.noteUse(parent.credentialId, clientAddress(ctx.req));
    return {
      access_token: secret,
      token_type: proof.key === undefined ? 'Bearer' : 'DPoP',
      expires_in: seconds,
      scope: scopes.join(' '),
    };
  };
}

function invalidRequest(description: string, reason = description): OAuthError {
  return new OAuthError(400, 'invalid_request', description, {}, { reason });
}

/** The space that the request narrows the token to; `null` without one. */
async function spacesNamedIn(
  { req }: Context,
  parent: Principal,
  { spaceContext, spaceHeader }: KeyGrantDependencies,
): Promise<readonly string[] | null> {
  const lines = req.headersDistinct[spaceHeader.toLowerCase()];
  if (lines === undefined) return null;
  try {
    return [(await spaceContext.enter(parent, lines.join(' '))).spaceId];
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
    throw invalidRequest(`${spaceHeader} names no space that the key may enter`, error.message);
  }
}

/** The key that is the subject of an exchange (RFC 8693 §2.1). Whatever is wrong with it is `invalid_request` (§2.2.2). */
async function authenticateSubject(
  ctx: Context,
  form: Form,
  dependencies: KeyGrantDependencies,
): Promise<Principal> {
  const subject = singleValue(form, 'subject_token');
  const requested = singleValue(form, 'requested_token_type') ?? ACCESS_TOKEN;
  if (subject === undefined) throw invalidRequest('subject_token is missing');
  if (singleValue(form, 'subject_token_type') !== ACCESS_TOKEN || requested !== ACCESS_TOKEN) {
    throw invalidRequest(`subject_token_type and requested_token_type must be ${ACCESS_TOKEN}`);
  }
  if (form.has('actor_token') || form.has('actor_token_type')) {
    throw invalidRequest('delegation to an actor is not supported');
  }
  const credentials = readClientCredentials(ctx, form);
  const isKey = credentials.id !== undefined && isId('key', credentials.id);
  if (!isKey && credentials.by !== 'nothing') await authenticateClient(ctx, form, dependencies);
  const parent = await verifyKey(ctx, subject, dependencies);
  const isParent = typeof parent !== 'string' && PARENTS.includes(parent.kind);
  if (!isParent) {
    const reason = typeof parent === 'string' ? parent : `a ${parent.kind}`;
    throw invalidRequest('subject_token is not a key that can be exchanged', reason);
  }
  if (isKey && (credentials.id !== parent.credentialId || credentials.secret !== subject)) {
    throw clientRefused(credentials.by, 'client_id is not the id of the key');
  }
  return parent;
}

/** The key that is the client (RFC 6749 §4.4). */
async function authenticateKey(
  ctx: Context,
  form: Form,
  dependencies: KeyGrantDependencies,
): Promise<Principal> {
  const key = await authenticateKeyAsClient(ctx, form, dependencies);
  if (key === undefined) {
    await authenticateClient(ctx, form, dependencies);
    throw unauthorizedClient();
  }
  readableBy(ctx, []);
  if (!PARENTS.includes(key.kind)) throw unauthorizedClient();
  return key;
}

/** Authenticates an OAuth client, and lets its origins read the answer. */
async function authenticateClient(
  ctx: Context,
  form: Form,
  { clients }: KeyGrantDependencies,
): Promise<void> {
  readableBy(ctx, (await clients.authenticate(ctx, form)).readers());
}

function readableBy(ctx: Context, readers: Readers): void {
  (ctx.state as { readers?: Readers }).readers = readers;
}

function unauthorizedClient(): OAuthError {
  return new OAuthError(400, 'unauthorized_client', 'The client may not use this grant.');
}
