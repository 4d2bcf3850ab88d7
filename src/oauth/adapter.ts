import Provider, { type Adapter, type AdapterPayload } from 'oidc-provider';

import type { Client } from '../clients/client.entity.js';
import { delegableThroughOauth } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';
import type { Exchange } from './code-grant.js';
import type { BrowserRequest } from '../http/browser-secret.js';
import type { InteractionStore } from './interaction-store.js';
import type { ProtocolSessions } from './protocol-sessions.js';
import type { CodeRow, TokenStore } from './token-store.js';

/** The members of a stored client that the library may know. Its own `scope` rule is not ours: see `authorization.ts`. */
export const EXTRA_CLIENT_METADATA = ['registered_scope'];

interface Dependencies {
  readonly codes: Pick<TokenStore, 'insertCode'>;
  readonly interactions: InteractionStore;
  readonly sessions: ProtocolSessions;
  /** A client that may be used. */
  readonly findClient: (id: string) => Promise<Client | undefined>;
}

type Payload = Record<string, unknown>;

/**
 * What stands between the library and our stores. The library names everything by its secret: rows hold
 * its digest only, and no payload holds the secret itself.
 *
 * Reads and writes of a code's exchange go through its `Exchange`.
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

/** What the library may not do with a model: it would be a way around the rules of this place. */
function refuseAll(model: string): Adapter {
  const refuse = (operation: string) => () => {
    throw new Error(`${operation} of ${model} is not provided for`);
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

/** The unit of work of the exchange that is being answered, if one is. */
function currentExchange(): Exchange | undefined {
  return (Provider.ctx?.state as { exchange?: Exchange } | undefined)?.exchange;
}

function theExchange(): Exchange {
  const exchange = currentExchange();
  if (exchange === undefined) throw new Error('codes are exchanged at the token endpoint only');
  return exchange;
}

function theRequest(): BrowserRequest {
  const { ctx } = Provider;
  if (ctx === undefined) throw new Error('interactions are begun and resumed by requests only');
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
      return client && toClient(id, client.metadata, client.secretDigest);
    },
  };
}

/** The digest stands where the library expects the secret: see `compareClientSecret` in `provider.ts`. */
function toClient(
  id: string,
  { scope, ...metadata }: Client['metadata'],
  secretDigest: string | null,
): AdapterPayload {
  return {
    ...metadata,
    client_id: id,
    ...(secretDigest !== null && { client_secret: secretDigest }),
    ...(scope !== undefined && { registered_scope: scope }),
  } as AdapterPayload;
}

function grantAdapter(): Partial<Adapter> {
  return {
    async find(id) {
      const { row } = theExchange();
      if (row === undefined || row.grant_id !== id || row.is_dead) return undefined;
      // Of what was granted, what the role still delegates.
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
    ...ENDING,
  };
}

/** The library destroys the tokens of a reused code one by one. Here their grant ends: see `code-grant.ts`. */
const ENDING: Partial<Adapter> = {
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};

function codeAdapter({ codes }: Dependencies): Partial<Adapter> {
  return {
    ...ENDING,
    async upsert(secret, payload, seconds = 0) {
      const { grantId } = payload;
      await codes.insertCode(secret, withoutSecret(payload), { grantId, seconds });
    },
    async find(secret) {
      const { row } = theExchange();
      return row === undefined || row.digest === null ? undefined : toCode(row, secret);
    },
    async consume() {
      theExchange().isConsumed = true;
    },
  };
}

/** What is stored, with the secret put back, and its end told by the process's clock as the library expects. */
function toCode(row: CodeRow, secret: string): AdapterPayload {
  return {
    ...row.payload,
    kind: 'AuthorizationCode',
    jti: secret,
    grantId: row.grant_id,
    accountId: row.account_id,
    clientId: row.grant_client_id,
    exp: expiryOf(row.remaining),
    ...(row.is_consumed && { consumed: true }),
  } as AdapterPayload;
}

/** Those that are issued with a code's exchange; refreshing is done without the library: see `refresh-grant.ts`. */
function refreshTokenAdapter(): Partial<Adapter> {
  return {
    ...ENDING,
    // What only the library reads as a refresh is spelled so that nobody else would, and finds nothing.
    find: async () => undefined,
    async upsert(secret, payload, seconds = 0) {
      theExchange().refresh = { secret, payload: withoutSecret(payload), seconds };
    },
  };
}

function accessTokenAdapter(): Partial<Adapter> {
  return {
    ...ENDING,
    async upsert(secret, payload, seconds = 0) {
      theExchange().access = { secret, payload: withoutSecret(payload), seconds };
    },
  };
}

/**
 * Interactions are begun and read by the library. Pages settle them and resuming answers them, in transactions of their
 * own: see `interaction-store.ts`.
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
      // The session's own secret is written there too, and nothing reads it.
      const { cookie: _cookie, ...keptSession } = session ?? {};
      const kept = { ...rest, ...(session && { session: keptSession }) };
      await interactions.insert(theRequest(), uid, kept, seconds);
    },
    async find(uid) {
      const found = await interactions.find(theRequest(), uid);
      if (found?.isOfThisBrowser !== true || found.interaction.isAnswered) return undefined;
      const { payload, remainingSeconds } = found.interaction;
      return { ...payload, jti: uid, exp: expiryOf(remainingSeconds) } as unknown as AdapterPayload;
    },
    // It stays, so that its answer can be given again.
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
      // Its secret is not known here: what is found like this is only looked at, never saved.
      return found && toSession(found, uid);
    },
    // Called only before it is stored under a new secret, which replaces the old one anyway. Done
    // apart, it would look ended to whoever stores it.
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

/** The library compares with the process's clock; what counts is how much the database says is left. */
function expiryOf(remainingSeconds: number): number {
  return Math.floor(Date.now() / 1000 + remainingSeconds);
}
