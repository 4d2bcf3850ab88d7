import type {
  DigestObserver,
  Keyring,
  Lookup,
  LookupQueries,
  Principal,
  SecretFormat,
} from '../credentials/index.js';
import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';
import { serviceUnavailable } from '../http/errors/problem.js';
import type { Scope } from '../scopes/catalog.js';
import { commonTo } from '../scopes/scope-set.js';
import { SERVER_PREFIX } from './resource-server-service.js';

/** The batched lookup of a resource server by its credential. */
export const SERVER_QUERIES: LookupQueries<'resource_servers'> = {
  resource_servers: (digests) => `
    SELECT c.digest, c.id, json_build_object(
      'id', s.id, 'identifier', s.identifier, 'scopes', s.scopes, 'acceptsKeys', s.accepts_keys,
      'digestKeyId', c.digest_key_id, 'isGood', NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED})::text
    FROM resource_server_credentials c JOIN resource_servers s ON s.id = c.server_id
    WHERE c.digest = ANY (${digests}::text[])`,
};

/** The resource server that calls. */
export interface CallingServer {
  readonly id: string;
  /** The audience of its tokens. */
  readonly identifier: string;
  /**
   * The principal of a valid credential as the server may see it: of tokens for it, and of keys if it accepts them, with
   * the scopes that it takes.
   *
   * @returns `undefined` for a credential that is not meant for it
   */
  see(principal: Principal): Principal | undefined;
}

/** Authenticates resource servers. */
export interface ServerAuthentication {
  /** Whether a text is written like the credential of a resource server. */
  isWritten(text: string): boolean;
  /**
   * @returns `undefined` for an unknown, expired or revoked credential
   * @throws Problem `service_unavailable`
   */
  authenticate(secret: string): Promise<CallingServer | undefined>;
}

interface Dependencies {
  readonly lookup: Lookup<'resource_servers'>;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly observer: DigestObserver;
}

interface Row {
  readonly id: string;
  readonly identifier: string;
  readonly scopes: readonly Scope[] | null;
  readonly acceptsKeys: boolean;
  readonly digestKeyId: string;
  readonly isGood: boolean;
}

export function createServerAuthentication({
  lookup,
  keyring,
  format,
  observer,
}: Dependencies): ServerAuthentication {
  const isWritten = (text: string) => format.read(SERVER_PREFIX, text) !== undefined;
  const find = async (secret: string) => {
    try {
      return await lookup.find('resource_servers', keyring.digests(secret));
    } catch (error) {
      throw serviceUnavailable(error);
    }
  };
  return {
    isWritten,
    async authenticate(secret) {
      const found = isWritten(secret) ? await find(secret) : undefined;
      if (found === undefined) return undefined;
      const row = JSON.parse(found[2]) as Row;
      if (!row.isGood) return undefined;
      if (row.digestKeyId !== keyring.currentId) observer.noteOldDigest(found[1] ?? '', secret);
      const { id, identifier } = row;
      return { id, identifier, see: (principal) => seenBy(row, principal) };
    },
  };
}

function seenBy({ id, scopes, acceptsKeys }: Row, principal: Principal): Principal | undefined {
  // The scopes of a token were limited when it was read.
  if (principal.token !== undefined) return principal.token.serverId === id ? principal : undefined;
  if (!acceptsKeys) return undefined;
  return scopes === null ? principal : { ...principal, scopes: commonTo(principal.scopes, scopes) };
}
