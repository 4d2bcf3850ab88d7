import { isInNetworks } from '../http/networks.js';
import { serviceUnavailable } from '../http/problem.js';
import type { Scope } from '../scopes/catalog.js';
import { delegableThroughOauth, type Role } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';
import type { Keyring } from './keyring.js';
import { KINDS, type Environment, type Family, type Kind } from './kinds.js';
import type { Lookup, LookupQueries, LookupRow } from './lookup.js';
import type { Principal, TokenFacts } from './principal.js';
import type { SecretFormat } from './secret-format.js';
import { IS_EXPIRED, IS_REVOKED } from './verdict-sql.js';

/** Why a credential was refused. */
export type Refusal =
  'malformed' | 'unknown' | 'revoked' | 'address_not_allowed' | 'expired' | 'tenant_suspended';

/** The answer to "who is this?". A refusal of a known credential says whose it is, for the log. */
export type Verdict =
  | { readonly outcome: 'accepted'; readonly principal: Principal }
  | { readonly outcome: 'refused'; readonly reason: Refusal; readonly principal?: Principal };

export interface Verifier {
  /**
   * Judges a presented credential by the database's state, read after this call.
   *
   * @param raw the text as it was presented; anything
   * @param address where the request comes from; `undefined` leaves allow-lists out of the verdict
   * @throws Problem `service_unavailable` when the database cannot be asked
   */
  verify(raw: string, address: string | undefined): Promise<Verdict>;
}

/** What the verifier tells the background recorder. */
export interface DigestObserver {
  /** A credential is stored under an older key, and could be under the current one. */
  noteOldDigest(credentialId: string, raw: string): void;
}

interface Dependencies {
  readonly lookup: Lookup<Family>;
  readonly format: SecretFormat;
  readonly keyring: Keyring;
  readonly observer: DigestObserver;
}

/** What separates facts: none of them can hold it, since none is free text but the name. */
const SEPARATOR = '\u001f';

const IN_MS = (time: string) => `(extract(epoch FROM ${time}) * 1000)::bigint`;

/**
 * The lookup's queries, a family each: for each credential its digest, its name, and everything else
 * in one text, so that reading a row costs next to nothing.
 */
export const VERIFICATION_QUERIES: LookupQueries<Family> = {
  keys: (digests) => `
    SELECT c.digest, c.name, concat_ws('${SEPARATOR}',
      c.id, c.kind, c.tenant_id, c.environment, c.principal_id, c.digest_key_id,
      CASE WHEN ${IS_REVOKED} THEN 'revoked'
           WHEN ${IS_EXPIRED} THEN 'expired'
           WHEN t.suspended_at IS NOT NULL THEN 'tenant_suspended'
           ELSE 'good' END,
      array_to_string(c.scopes, ' '),
      CASE WHEN c.spaces IS NULL THEN '*' ELSE array_to_string(c.spaces, ' ') END,
      CASE WHEN c.allowed_ips IS NULL THEN '*' ELSE array_to_string(c.allowed_ips, ' ') END,
      ${IN_MS('c.created_at')},
      CASE WHEN c.expires_at IS NULL THEN '*' ELSE ${IN_MS('c.expires_at')}::text END,
      coalesce(c.rate_limit_per_minute::text, '*'))
    FROM credentials c JOIN tenants t ON t.id = c.tenant_id
    WHERE c.digest = ANY (${digests}::text[])`,
  // A client or membership that is gone takes its tokens along.
  tokens: (digests) => `
    SELECT c.digest, coalesce(client.name, ''), concat_ws('${SEPARATOR}',
      c.id, 'access_token', c.tenant_id, 'live', c.account_id, c.digest_key_id,
      CASE WHEN client.id IS NULL OR m.role IS NULL OR ${IS_REVOKED} THEN 'revoked'
           WHEN ${IS_EXPIRED} THEN 'expired'
           WHEN t.suspended_at IS NOT NULL THEN 'tenant_suspended'
           ELSE 'good' END,
      array_to_string(c.scopes, ' '), '*', '*',
      ${IN_MS('c.issued_at')}, ${IN_MS('c.expires_at')}, '*',
      c.client_id, c.grant_id, coalesce(m.role, ''), c.audience)
    FROM access_tokens c JOIN tenants t ON t.id = c.tenant_id
      LEFT JOIN clients client ON client.id = c.client_id
      LEFT JOIN memberships m ON m.account_id = c.account_id AND m.tenant_id = c.tenant_id
    WHERE c.digest = ANY (${digests}::text[])`,
};

/** How a fact says that there is no restriction; an empty list restricts to nothing. */
const UNRESTRICTED = '*';

/** One verifier for every family of credentials. */
export function createVerifier({ lookup, format, keyring, observer }: Dependencies): Verifier {
  const readRow = createRowReader();

  return {
    async verify(raw, address) {
      const parsed = format.parse(raw);
      if (parsed === undefined) return { outcome: 'refused', reason: 'malformed' };

      let row: LookupRow | undefined;
      try {
        row = await lookup.find(KINDS[parsed.kind].family, keyring.digests(raw));
      } catch (error) {
        throw serviceUnavailable(error);
      }
      if (row === undefined) return { outcome: 'refused', reason: 'unknown' };
      const { principal, allowedIps, digestKeyId, state } = readRow(row);
      if (principal.kind !== parsed.kind) return { outcome: 'refused', reason: 'unknown' };

      const reason = judge(state, allowedIps, address);
      if (reason !== undefined) return { outcome: 'refused', reason, principal };
      // Tokens are gone before their key is.
      if (digestKeyId !== keyring.currentId && principal.token === undefined) {
        observer.noteOldDigest(principal.credentialId, raw);
      }
      return { outcome: 'accepted', principal };
    },
  };
}

/** A wrong address hides whether the key would still be good, but not that it was revoked. */
function judge(
  state: string,
  allowedIps: string,
  address: string | undefined,
): Refusal | undefined {
  if (state === 'revoked') return state;
  if (allowedIps !== UNRESTRICTED && address !== undefined) {
    if (!isInNetworks(address, allowedIps.split(' '))) return 'address_not_allowed';
  }
  if (state === 'good') return undefined;
  // Anything the query may come to say that isn't known here must not open a door.
  return state === 'expired' || state === 'tenant_suspended' ? state : 'revoked';
}

function createRowReader() {
  const scopeSets = createScopeSets();
  return (row: LookupRow) => {
    const facts = row[2].split(SEPARATOR);
    const fact = (index: number) => facts[index] ?? '';
    const kind = fact(1) as Kind;
    const token = KINDS[kind].family === 'tokens' ? readToken(facts, row[1] ?? '') : undefined;
    const principal: Principal = {
      credentialId: fact(0),
      credentialName: row[1] ?? '',
      kind,
      tenantId: fact(2),
      environment: fact(3) as Environment,
      scopes: scopeSets(fact(7), token?.role),
      spaces: fact(8) === UNRESTRICTED ? null : fact(8).split(' '),
      principalKind: KINDS[kind].principal,
      principalId: fact(4),
      issuedAt: Number(fact(10)),
      expiresAt: fact(11) === UNRESTRICTED ? null : Number(fact(11)),
      rateLimitPerMinute: fact(12) === UNRESTRICTED ? null : Number(fact(12)),
      token,
    };
    return { principal, digestKeyId: fact(5), state: fact(6), allowedIps: fact(9) };
  };
}

function readToken(facts: readonly string[], clientName: string): TokenFacts {
  const [clientId = '', grantId = '', role = '', audience = ''] = facts.slice(13);
  return { clientId, clientName, grantId, role: role as Role, audience };
}

const MAX_SCOPE_SETS = 1000;

/**
 * Reads stored scopes, of tokens those that the user's role still delegates. Credentials share few
 * combinations, so that each is put in order once.
 */
function createScopeSets(): (stored: string, role: Role | undefined) => readonly Scope[] {
  const known = new Map<string, readonly Scope[]>();
  return (stored, role) => {
    const id = role === undefined ? stored : `${role} ${stored}`;
    let scopes = known.get(id);
    if (scopes === undefined) {
      scopes = inCatalogOrder(stored.split(' '));
      // Who is no member any more has none of the roles, and nothing is delegated.
      if (role !== undefined) scopes = commonTo(scopes, delegableThroughOauth(role));
      if (known.size >= MAX_SCOPE_SETS) known.clear();
      known.set(id, scopes);
    }
    return scopes;
  };
}
