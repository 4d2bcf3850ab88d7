import Provider, { type Adapter, type AdapterPayload } from 'oidc-provider';

import type { Client } from '../../clients/index.js';
import { delegableThroughOauth } from '../../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../../scopes/scope-set.js';
import type { Exchange } from '../token/code-grant.js';
import type { BrowserRequest } from '../../http/pages/browser-secret.js';
import type { InteractionStore } from '../authorize/interaction-store.js';
import type { ProtocolSessions } from './protocol-sessions.js';
import type { CodeRow, CodeStore } from '../token/code-store.js';

/** Client metadata that oidc-provider does not define. Its own `scope` member has other rules: see `authorization.ts`. */
export const EXTRA_CLIENT_METADATA = ['registered_scope', 'requires_pushed_requests'];

interface Dependencies {
  readonly codes: Pick<CodeStore, 'insertCode'>;
  readonly interactions: InteractionStore;
  readonly sessions: ProtocolSessions;
  /** Finds a client that is not blocked. */
  readonly findClient: (id: string) => Promise<Client | undefined>;
}

type Payload = Record<string, unknown>;

/**
 * The storage adapter of oidc-provider. It identifies models by their secret. Rows hold only its digest, and payloads
 * never hold it.
 *
 * Reads and writes of a code exchange go through its `Exchange`.
 */
export function createAdapterFactory(dependencies: Dependencies): (model: string) => Adapter {
  const adapters: Readonly<Record<string, Partial<Adapter>>> = {
    Client: clientAdapter(dependencies),
    Grant: grantAdapter(),
    AuthorizationCode: codeAdapter(dependencies),
    RefreshToken: refreshTokenAdapter(),
    AccessToken: accessTokenAdapter(),
    Interaction: interactionAdapter(dependencies),
    Session: sessionAdapter(dependencies),
  };
  return (model) => ({ ...refuseAll(model), ...adapters[model] });
}

/** Operations that throw, for models and methods that this server does not use. */
function refuseAll(model: string): Adapter {
  const refuse = (operation: string) => () => {
    throw new Error(`${operation} of ${model} is not supported`);
  };
  return {
    upsert: refuse('upsert'),
    find: refuse('find'),
    findByUserCode: refuse('findByUserCode'),
    findByUid: refuse('findByUid'),
    consume: refuse('consume'),
    destroy: refuse('destroy'),
    revokeByGrantId: refuse('revokeByGrantId'),
  };
}

/** The code exchange of the current request, if it has one. */
function currentExchange(): Exchange | undefined {
  return (Provider.ctx?.state as { exchange?: Exchange } | undefined)?.exchange;
}

function requireExchange(): Exchange {
  const exchange = currentExchange();
  if (exchange === undefined) throw new Error('no code exchange in the current request');
  return exchange;
}

function requireRequest(): BrowserRequest {
  const { ctx } = Provider;
  if (ctx === undefined) throw new Error('no current request');
  return ctx;
}

function clientAdapter({ findClient }: Dependencies): Partial<Adapter> {
  return {
    async find(id) {
      const exchange = currentExchange();
      if (exchange !== undefined) {
        const row = await exchange.load(id);
        return row && toClient(id, row.metadata, row.secret_digest);
      }
      const client = await findClient(id);
      if (client === undefined) return undefined;
      const { metadata, secretDigest, requiresPushedRequests } = client;
      return {
        ...toClient(id, metadata, secretDigest),
        requires_pushed_requests: requiresPushedRequests,
      };
    },
  };
}

/**
 * `client_secret` holds the digest: see `compareClientSecret` in `library-internals.ts`. Clients with a key appear as
 * public ones: this server verifies their assertions itself, before the library is called.
 */
function toClient(
  id: string,
  { scope, jwks: _keys, jwks_uri: _uri, ...metadata }: Client['metadata'],
  secretDigest: string | null,
): AdapterPayload {
  const {
    token_endpoint_auth_method: method,
    token_endpoint_auth_signing_alg: _alg,
    ...rest
  } = metadata;
  return {
    ...rest,
    ...protocolGrantTypes(metadata.grant_types),
    token_endpoint_auth_method: method === 'private_key_jwt' ? 'none' : method,
    client_id: id,
    ...(secretDigest !== null && method !== 'private_key_jwt' && { client_secret: secretDigest }),
    ...(scope !== undefined && { registered_scope: scope }),
  } as AdapterPayload;
}

/** oidc-provider knows the grant types of authorizations only. It refuses those of a client that has no others. */
function protocolGrantTypes(registered: readonly string[]) {
  const known = registered.filter(
    (type) => type === 'authorization_code' || type === 'refresh_token',
  );
  return known.includes('authorization_code')
    ? { grant_types: known }
    : { grant_types: [], response_types: [] };
}

function grantAdapter(): Partial<Adapter> {
  return {
    async find(id) {
      const { row } = requireExchange();
      if (row === undefined || row.grant_id !== id || row.is_dead) return undefined;
      // Granted scopes that the role no longer delegates are left out.
      const scopes = row.role === null ? [] : delegableThroughOauth(row.role);
      const scope = commonTo(inCatalogOrder(row.scopes), scopes).join(' ');
      return {
        kind: 'Grant',
        jti: id,
        accountId: row.account_id,
        clientId: row.grant_client_id,
        openid: { scope },
        resources: Object.fromEntries(row.resources.map((resource) => [resource, scope])),
      };
    },
    ...NO_DESTROY,
  };
}

/** oidc-provider destroys the tokens of a reused code one by one. Here the grant is revoked: see `code-grant.ts`. */
const NO_DESTROY: Partial<Adapter> = {
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};

function codeAdapter({ codes }: Dependencies): Partial<Adapter> {
  return {
    ...NO_DESTROY,
    async upsert(secret, payload, seconds = 0) {
      const { grantId } = payload;
      await codes.insertCode(secret, withoutSecret(payload), { grantId, seconds });
    },
    async find(secret) {
      const { row } = requireExchange();
      return row === undefined || row.digest === null ? undefined : toCode(row, secret);
    },
    async consume() {
      requireExchange().isConsumed = true;
    },
  };
}

/** The stored payload with the secret, and with `exp` by the process's clock, as oidc-provider expects it. */
function toCode(row: CodeRow, secret: string): AdapterPayload {
  return {
    ...row.payload,
    // Checked by `oauth/token/token-proof`.
    dpopJkt: undefined,
    kind: 'AuthorizationCode',
    jti: secret,
    grantId: row.grant_id,
    accountId: row.account_id,
    clientId: row.grant_client_id,
    exp: expiryOf(row.remaining),
    ...(row.is_consumed && { consumed: true }),
  } as AdapterPayload;
}

/** Refresh tokens that a code exchange issues. Refreshes do not use oidc-provider: see `refresh-grant.ts`. */
function refreshTokenAdapter(): Partial<Adapter> {
  return {
    ...NO_DESTROY,
    // Reached only by a spelling of `grant_type` that no other reader takes for a refresh.
    find: async () => undefined,
    async upsert(secret, payload, seconds = 0) {
      requireExchange().refresh = { secret, payload: withoutSecret(payload), seconds };
    },
  };
}

function accessTokenAdapter(): Partial<Adapter> {
  return {
    ...NO_DESTROY,
    async upsert(secret, payload, seconds = 0) {
      requireExchange().access = { secret, payload: withoutSecret(payload), seconds };
    },
  };
}

/**
 * oidc-provider creates and reads interactions. Pages store their results and `oauth/authorize/resume` their responses,
 * in their own transactions: see `oauth/authorize/interaction-store`.
 */
function interactionAdapter({ interactions }: Dependencies): Partial<Adapter> {
  return {
    async upsert(uid, payload, seconds = 0) {
      const {
        session,
        returnTo: _returnTo,
        ...rest
      } = withoutSecret(payload) as {
        session?: Payload;
        returnTo?: string;
      };
      // `cookie` is the session's secret. Nothing reads it.
      const { cookie: _cookie, ...keptSession } = session ?? {};
      const kept = { ...rest, ...(session && { session: keptSession }) };
      await interactions.insert(requireRequest(), uid, kept, seconds);
    },
    async find(uid) {
      const found = await interactions.find(requireRequest(), uid);
      if (found?.isOfThisBrowser !== true || found.interaction.isAnswered) return undefined;
      const { payload, remainingSeconds } = found.interaction;
      return { ...payload, jti: uid, exp: expiryOf(remainingSeconds) } as unknown as AdapterPayload;
    },
    // Kept, so that a repeated request gets the same response.
    destroy: async () => undefined,
  };
}

function sessionAdapter({ sessions }: Dependencies): Partial<Adapter> {
  return {
    async upsert(secret, payload, seconds = 0) {
      await sessions.save(secret, withoutSecret(payload), seconds);
    },
    async find(secret) {
      const found = await sessions.findBySecret(secret);
      return found && toSession(found, secret);
    },
    async findByUid(uid) {
      const found = await sessions.findById(uid);
      // The secret is unknown here. oidc-provider never saves a session that it found by uid.
      return found && toSession(found, uid);
    },
    // oidc-provider destroys a session before it saves it under a new secret, which replaces the old row anyway. Deleting
    // it first would make that save see an ended session.
    destroy: async () => undefined,
  };
}

function toSession(
  { payload, remainingSeconds }: { payload: Payload; remainingSeconds: number },
  secret: string,
): AdapterPayload {
  return { ...payload, jti: secret, exp: expiryOf(remainingSeconds) } as AdapterPayload;
}

function withoutSecret({ jti: _secret, ...payload }: AdapterPayload): Payload {
  return payload as Payload;
}

/** oidc-provider compares `exp` with the process's clock. The remaining time is by the database's clock. */
function expiryOf(remainingSeconds: number): number {
  return Math.floor(Date.now() / 1000 + remainingSeconds);
}
