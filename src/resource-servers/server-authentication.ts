import type {
  DigestObserver,
  Keyring,
  Lookup,
  LookupQueries,
  Principal,
  SecretFormat,
  Target,
} from '../credentials/index.js';
import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';
import { Problem } from '../http/errors/problem.js';
import { serviceUnavailable } from '../http/errors/problem.js';
import { canonicalResource } from '../http/resource-uri.js';
import type { Scope } from '../scopes/catalog.js';
import { commonTo } from '../scopes/scope-set.js';
import { SERVER_PREFIX } from './resource-server-service.js';

const FACTS = `
      'id', s.id, 'identifier', s.identifier, 'scopes', s.scopes, 'acceptsKeys', s.accepts_keys`;

/**
 * The batched lookups of a resource server: by its credential, and by its identifier in canonical form. That is quoted,
 * because it can hold commas and braces. Quotes and backslashes it cannot.
 */
export const SERVER_QUERIES: LookupQueries<'resource_servers' | 'servers_by_identifier'> = {
  servers_by_identifier: (identifiers) => `
    SELECT '"' || s.canonical || '"', NULL, json_build_object(${FACTS})::text
    FROM resource_servers s WHERE s.canonical = ANY (${identifiers}::text[])`,
  resource_servers: (digests) => `
    SELECT c.digest, c.id, json_build_object(${FACTS},
      'digestKeyId', c.digest_key_id, 'isGood', NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED})::text
    FROM resource_server_credentials c JOIN resource_servers s ON s.id = c.server_id
    WHERE c.digest = ANY (${digests}::text[])`,
};

/** The resource server that calls. */
export interface CallingServer extends Target {
  readonly id: string;
  /** The subjects whose change ends its access. */
  readonly subjects: readonly string[];
  /** The audience of its tokens. */
  readonly identifier: string;
}

/** Authenticates resource servers. */
export interface ServerAuthentication {
  /** Whether a text begins like the credential of a resource server. */
  hasPrefix(text: string): boolean;
  /**
   * @returns `undefined` for a malformed, unknown, expired or revoked credential
   * @throws Problem `service_unavailable`
   */
  authenticate(secret: string): Promise<CallingServer | undefined>;
  /**
   * Finds a server by its identifier, in any spelling.
   * @throws Problem `service_unavailable`
   */
  find(identifier: string): Promise<CallingServer | undefined>;
  /**
   * Throws the guard's refusal of a credential that `authenticate` did not find. The guard for keys and tokens would say
   * that the kind is not accepted.
   */
  explain(secret: string, refusal: unknown): never;
}

interface Dependencies {
  readonly lookup: Lookup<'resource_servers' | 'servers_by_identifier'>;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly observer: DigestObserver;
}

interface Facts {
  readonly id: string;
  readonly identifier: string;
  readonly scopes: readonly Scope[] | null;
  readonly acceptsKeys: boolean;
}

interface Row extends Facts {
  readonly digestKeyId: string;
  readonly isGood: boolean;
}

export function createServerAuthentication({
  lookup,
  keyring,
  format,
  observer,
}: Dependencies): ServerAuthentication {
  const isWellFormed = (text: string) => format.read(SERVER_PREFIX, text) !== undefined;
  const look = async (query: keyof typeof SERVER_QUERIES, keys: readonly string[]) => {
    try {
      return await lookup.find(query, keys);
    } catch (error) {
      throw serviceUnavailable(error);
    }
  };
  return {
    hasPrefix: (text) => text.startsWith(`${format.start}${SERVER_PREFIX}_`),
    async authenticate(secret) {
      const digests = isWellFormed(secret) ? keyring.digests(secret) : [];
      const found = digests.length > 0 ? await look('resource_servers', digests) : undefined;
      if (found === undefined) return undefined;
      const row = JSON.parse(found[2]) as Row;
      if (!row.isGood) return undefined;
      if (row.digestKeyId !== keyring.currentId) observer.noteOldDigest(found[1] ?? '', secret);
      return callerOf(row, found[1] ?? '');
    },
    async find(identifier) {
      const canonical = canonicalResource(identifier);
      if (canonical === undefined) return undefined;
      const found = await look('servers_by_identifier', [`"${canonical}"`]);
      return found && callerOf(JSON.parse(found[2]) as Facts);
    },
    explain(secret, refusal) {
      if (!(refusal instanceof Problem) || refusal.code !== 'unauthorized') throw refusal;
      const detail = isWellFormed(secret)
        ? 'The credential is not valid.'
        : 'The credential of the resource server is cut off or mistyped.';
      throw new Problem('unauthorized', detail, { headers: refusal.headers, cause: refusal });
    },
  };
}

function callerOf(facts: Facts, credentialId?: string): CallingServer {
  const { id, identifier } = facts;
  return {
    id,
    identifier,
    subjects: credentialId === undefined ? [id] : [credentialId, id],
    audiences: [identifier],
    see: (principal) => seenBy(facts, principal),
  };
}

/**
 * The principal of a credential as the server may see it: of tokens for it, and of keys if it accepts them, with the
 * scopes that it takes.
 */
function seenBy({ id, scopes, acceptsKeys }: Facts, principal: Principal): Principal | undefined {
  // The scopes of a token were limited when it was read.
  const token = principal.token ?? principal.exchanged;
  if (token !== undefined) return token.serverId === id ? principal : undefined;
  if (!acceptsKeys) return undefined;
  return scopes === null ? principal : { ...principal, scopes: commonTo(principal.scopes, scopes) };
}
