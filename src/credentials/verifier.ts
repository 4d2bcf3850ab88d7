import { createHash } from 'node:crypto';

import { expiresAroundNow } from '../db/partitions.js';
import { createListMatcher } from '../http/networks.js';
import { serviceUnavailable } from '../http/problem.js';
import type { Scope } from '../scopes/catalog.js';
import { delegableBy, delegableThroughOauth, type Role } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';
import { isWrittenAs, type ImportedPrefixes } from './imported-prefixes.js';
import type { Keyring } from './keyring.js';
import { KINDS, type Environment, type Family, type Kind } from './kinds.js';
import type { Lookup, LookupQueries, LookupRow } from './lookup.js';
import type { Binding, Principal, TokenFacts } from './principal.js';
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
  /**
   * A credential is stored under an older key, and could be under the current one.
   * @param digested the text that its digest is made of
   */
  noteOldDigest(credentialId: string, digested: string): void;
}

interface Dependencies {
  readonly lookup: Lookup<Family>;
  readonly format: SecretFormat;
  readonly prefixes: Pick<ImportedPrefixes, 'covers'>;
  readonly keyring: Keyring;
  readonly observer: DigestObserver;
}

/** What separates facts: none of them can hold it, since none is free text but the name. */
const SEPARATOR = '\u001f';

const IN_MS = (time: string) => `(extract(epoch FROM ${time}) * 1000)::bigint`;

/** The state of a credential of our own, with `isGone` for what else ends it. */
const stateOf = (isGone = 'false') => `
      CASE WHEN ${isGone} OR ${IS_REVOKED} THEN 'revoked'
           WHEN ${IS_EXPIRED} THEN 'expired'
           WHEN t.suspended_at IS NOT NULL THEN 'tenant_suspended'
           ELSE 'good' END`;

const list = (column: string) =>
  `CASE WHEN c.${column} IS NULL THEN '*' ELSE array_to_string(c.${column}, ' ') END`;

/** What is read of a key, before what only some kinds have. */
const keyFacts = (isGone?: string) => `
      c.id, c.kind, c.tenant_id, c.environment, c.principal_id, c.digest_key_id,
      ${stateOf(isGone)},
      array_to_string(c.scopes, ' '), ${list('spaces')}, ${list('allowed_ips')},
      ${IN_MS('c.created_at')},
      CASE WHEN c.expires_at IS NULL THEN '*' ELSE ${IN_MS('c.expires_at')}::text END,
      coalesce(c.bindings::text, '*'), coalesce(c.rate_limit_per_minute::text, '*')`;

/**
 * The lookup's queries, a family each: for each credential its digest, its name, and everything else
 * in one text, so that reading a row costs next to nothing.
 */
export const VERIFICATION_QUERIES: LookupQueries<Family> = {
  keys: (digests) => `
    SELECT c.digest, c.name, concat_ws('${SEPARATOR}', ${keyFacts()})
    FROM credentials c JOIN tenants t ON t.id = c.tenant_id
    WHERE c.digest = ANY (${digests}::text[])`,
  // A membership that is gone takes its tokens along.
  personal: (digests) => `
    SELECT c.digest, c.name, concat_ws('${SEPARATOR}', ${keyFacts('m.role IS NULL')},
      coalesce(m.role, ''))
    FROM credentials c JOIN tenants t ON t.id = c.tenant_id
      LEFT JOIN memberships m ON m.account_id = c.principal_id AND m.tenant_id = c.tenant_id
    WHERE c.digest = ANY (${digests}::text[])`,
  imported: (digests) => `
    SELECT c.digest, c.name, concat_ws('${SEPARATOR}', ${keyFacts()},
      coalesce(c.imported_prefix, ''), coalesce(c.imported_pattern, ''))
    FROM credentials c JOIN tenants t ON t.id = c.tenant_id
    WHERE c.digest = ANY (${digests}::text[]) 
      AND (c.imported_prefix IS NOT NULL OR c.imported_pattern IS NOT NULL)`,
  // A client or membership that is gone takes its tokens along.
  tokens: (digests) => `
    SELECT c.digest, coalesce(client.name, ''), concat_ws('${SEPARATOR}',
      c.id, 'access_token', c.tenant_id, 'live', c.account_id, c.digest_key_id,
      ${stateOf('client.id IS NULL OR m.role IS NULL')},
      array_to_string(c.scopes, ' '), '*', '*',
      ${IN_MS('c.issued_at')}, ${IN_MS('c.expires_at')}, '*', '*',
      coalesce(m.role, ''), c.client_id, c.grant_id, c.audience)
    FROM access_tokens c JOIN tenants t ON t.id = c.tenant_id
      LEFT JOIN clients client ON client.id = c.client_id
      LEFT JOIN memberships m ON m.account_id = c.account_id AND m.tenant_id = c.tenant_id
    WHERE c.digest = ANY (${digests}::text[]) AND ${expiresAroundNow('access_tokens', 'c')}`,
};

/** How a fact says that there is no restriction; an empty list restricts to nothing. */
const UNRESTRICTED = '*';

/** One verifier for every family of credentials. */
export function createVerifier({
  lookup,
  format,
  prefixes,
  keyring,
  observer,
}: Dependencies): Verifier {
  const readRow = createRowReader();
  const isInList = createListMatcher();
  const isAllowed = (list: readonly string[] | null, address: string) =>
    list === null || isInList(address, list.join(' '));

  return {
    async verify(raw, address) {
      const kind = format.parse(raw)?.kind;
      const isForeign = kind === undefined && prefixes.covers(raw);
      if (kind === undefined && !isForeign) return { outcome: 'refused', reason: 'malformed' };

      const family = kind === undefined ? 'imported' : KINDS[kind].family;
      const digested = isForeign ? digestedOfImported(sha256(raw)) : raw;
      let row: LookupRow | undefined;
      try {
        row = await lookup.find(family, keyring.digests(digested));
      } catch (error) {
        throw serviceUnavailable(error);
      }
      if (row === undefined) return { outcome: 'refused', reason: 'unknown' };
      const { principal, digestKeyId, state, importedAs } = readRow(row, family);
      const isWhatItSays = isForeign
        ? isWrittenAs(raw, importedAs.prefix, importedAs.pattern)
        : principal.kind === kind;
      if (!isWhatItSays) return { outcome: 'refused', reason: 'unknown' };

      const reason = judge(
        state,
        address === undefined || isAllowed(principal.allowedIps, address),
      );
      if (reason !== undefined) return { outcome: 'refused', reason, principal };
      // Tokens are gone before their key is.
      if (digestKeyId !== keyring.currentId && principal.token === undefined) {
        observer.noteOldDigest(principal.credentialId, digested);
      }
      return { outcome: 'accepted', principal };
    },
  };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/**
 * What the keyed digest of a key that was issued elsewhere is made of: of that key itself we know no
 * more than its SHA-256.
 *
 * @param digest 64 hexadecimal digits, in lower case
 */
export function digestedOfImported(digest: string): string {
  return `sha256:${digest}`;
}

/** A wrong address hides whether the key would still be good, but not that it was revoked. */
function judge(state: string, isAddressAllowed: boolean): Refusal | undefined {
  if (state === 'revoked') return state;
  if (!isAddressAllowed) return 'address_not_allowed';
  if (state === 'good') return undefined;
  // Anything the query may come to say that isn't known here must not open a door.
  return state === 'expired' || state === 'tenant_suspended' ? state : 'revoked';
}

function createRowReader() {
  const scopeSets = createScopeSets();
  return (row: LookupRow, family: Family) => {
    const facts = row[2].split(SEPARATOR);
    const fact = (index: number) => facts[index] ?? '';
    const kind = fact(1) as Kind;
    const token = family === 'tokens' ? readToken(facts, row[1] ?? '') : undefined;
    const bindings = fact(12);
    const principal: Principal = {
      credentialId: fact(0),
      credentialName: row[1] ?? '',
      kind,
      tenantId: fact(2),
      environment: fact(3) as Environment,
      scopes: scopeSets(fact(7), family, fact(14)),
      spaces: fact(8) === UNRESTRICTED ? null : fact(8).split(' '),
      allowedIps: fact(9) === UNRESTRICTED ? null : fact(9).split(' '),
      bindings: bindings === UNRESTRICTED ? null : (JSON.parse(bindings) as Binding[]),
      principalKind: KINDS[kind].principal,
      principalId: fact(4),
      issuedAt: Number(fact(10)),
      expiresAt: fact(11) === UNRESTRICTED ? null : Number(fact(11)),
      rateLimitPerMinute: fact(13) === UNRESTRICTED ? null : Number(fact(13)),
      token,
    };
    return {
      principal,
      digestKeyId: fact(5),
      state: fact(6),
      importedAs: { prefix: fact(14), pattern: fact(15) },
    };
  };
}

function readToken(facts: readonly string[], clientName: string): TokenFacts {
  const [role = '', clientId = '', grantId = '', audience = ''] = facts.slice(14);
  return { clientId, clientName, grantId, role: role as Role, audience };
}

const MAX_SCOPE_SETS = 1000;

/** Whose scopes are cut to the role that the user has now, and to what of it. */
const DELEGABLE: Partial<Record<Family, (role: Role) => readonly Scope[]>> = {
  tokens: delegableThroughOauth,
  personal: delegableBy,
};

/**
 * Reads stored scopes, those that the user's role still delegates where a user stands behind them.
 * Credentials share few combinations, so that each is put in order once.
 */
function createScopeSets(): (stored: string, family: Family, role: string) => readonly Scope[] {
  const known = new Map<string, readonly Scope[]>();
  return (stored, family, role) => {
    const delegable = DELEGABLE[family];
    const id = delegable === undefined ? stored : `${family} ${role} ${stored}`;
    let scopes = known.get(id);
    if (scopes === undefined) {
      scopes = inCatalogOrder(stored.split(' '));
      // A former member has no role, and nothing is delegated.
      if (delegable !== undefined) scopes = commonTo(scopes, delegable(role as Role));
      if (known.size >= MAX_SCOPE_SETS) known.clear();
      known.set(id, scopes);
    }
    return scopes;
  };
}
