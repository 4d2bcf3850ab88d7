import Provider, {
  type Adapter,
  type AdapterPayload,
  type InteractionResults,
} from 'oidc-provider';

import type { Client } from '../clients/client.entity.js';
import { delegableThroughOauth } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';
import type { ArtifactStore } from './artifact-store.js';
import type { Exchange } from './exchange.js';
import type { ExchangeRow } from './exchange-store.js';
import type { ProtocolSessions } from './protocol-sessions.js';
import type { HasPassword } from './sign-in-page.js';

/** The members of a stored client that the library may know. Its own `scope` rule is not ours: see `authorization.ts`. */
export const EXTRA_CLIENT_METADATA = ['registered_scope'];

interface Dependencies {
  readonly artifacts: ArtifactStore;
  readonly sessions: ProtocolSessions;
  /** A client that may be used. */
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly hasPassword: HasPassword;
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

/** The library destroys the tokens of a reused code one by one. Here their grant ends: see `code-exchange.ts`. */
const ENDING: Partial<Adapter> = {
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};

function codeAdapter({ artifacts }: Dependencies): Partial<Adapter> {
  return {
    ...ENDING,
    async upsert(secret, payload, seconds = 0) {
      const { grantId } = payload;
      await artifacts.save('AuthorizationCode', secret, withoutSecret(payload), {
        grantId,
        seconds,
      });
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
function toCode(row: ExchangeRow, secret: string): AdapterPayload {
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

/** Those that are issued with a code's exchange; refreshing is done without the library: see `refresh.ts`. */
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

/** In the place of the interaction's id, which its cookie holds, in the address that it returns to. */
const UID_PLACEHOLDER = '{uid}';

/** What came of the pages on which a user signs in and agrees. */
type InteractionResult = InteractionResults & {
  readonly login?: { readonly accountId: string; readonly passwordMark: string };
};

function interactionAdapter({ artifacts, hasPassword }: Dependencies): Partial<Adapter> {
  // Whoever has signed in may come back much later, when the password is another.
  const isStillGood = async ({ login }: InteractionResult) =>
    login === undefined || hasPassword(login.accountId, login.passwordMark);
  return {
    async upsert(secret, payload, seconds = 0) {
      const { session, returnTo, ...rest } = withoutSecret(payload) as {
        session?: Payload;
        returnTo?: string;
      };
      // The session's own secret is written there too, and nothing reads it.
      const { cookie: _cookie, ...keptSession } = session ?? {};
      const kept = {
        ...rest,
        ...(session && { session: keptSession }),
        returnTo: returnTo?.replace(secret, UID_PLACEHOLDER),
      };
      await artifacts.save('Interaction', secret, kept, { seconds });
    },
    async find(secret) {
      const artifact = await artifacts.find('Interaction', secret);
      if (artifact === undefined) return undefined;
      const { returnTo, result, ...rest } = artifact.payload as {
        returnTo: string;
        result?: InteractionResult;
      };
      return {
        ...rest,
        ...(result && (await isStillGood(result)) && { result }),
        jti: secret,
        returnTo: returnTo.replace(UID_PLACEHOLDER, secret),
        exp: expiryOf(artifact.remainingSeconds),
      } as AdapterPayload;
    },
    destroy: (secret) => artifacts.destroy('Interaction', secret),
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
