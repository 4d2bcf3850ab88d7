import { isInNetworks } from '../http/networks.js';
import { serviceUnavailable } from '../http/problem.js';
import type { Scope } from '../scopes/catalog.js';
import { inCatalogOrder } from '../scopes/scope-set.js';
import type { Keyring } from './keyring.js';
import { KINDS, type Environment, type Kind } from './kinds.js';
import type { Lookup, LookupRow } from './lookup.js';
import type { Principal } from './principal.js';
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
  readonly lookup: Lookup;
  readonly format: SecretFormat;
  readonly keyring: Keyring;
  readonly observer: DigestObserver;
}

/** What separates facts: none of them can hold it, since none is free text but the name. */
const SEPARATOR = '\u001f';

/**
 * The lookup's query: for each credential its digest, its name, and everything else in one text, so
 * that reading a row costs next to nothing.
 */
export const VERIFICATION_QUERY = {
  name: 'verify-credentials',
  text: `
    SELECT c.digest, c.name, concat_ws('${SEPARATOR}',
      c.id, c.kind, c.tenant_id, c.environment, c.principal_id, c.digest_key_id,
      CASE WHEN ${IS_REVOKED} THEN 'revoked'
           WHEN ${IS_EXPIRED} THEN 'expired'
           WHEN t.suspended_at IS NOT NULL THEN 'tenant_suspended'
           ELSE 'good' END,
      array_to_string(c.scopes, ' '),
      CASE WHEN c.spaces IS NULL THEN '*' ELSE array_to_string(c.spaces, ' ') END,
      CASE WHEN c.allowed_ips IS NULL THEN '*' ELSE array_to_string(c.allowed_ips, ' ') END)
    FROM credentials c JOIN tenants t ON t.id = c.tenant_id
    WHERE c.digest = ANY ($1::text[])`,
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
        row = await lookup.find(keyring.digests(raw));
      } catch (error) {
        throw serviceUnavailable(error);
      }
      if (row === undefined) return { outcome: 'refused', reason: 'unknown' };
      const { principal, allowedIps, digestKeyId, state } = readRow(row);
      if (principal.kind !== parsed.kind) return { outcome: 'refused', reason: 'unknown' };

      const reason = judge(state, allowedIps, address);
      if (reason !== undefined) return { outcome: 'refused', reason, principal };
      if (digestKeyId !== keyring.currentId) observer.noteOldDigest(principal.credentialId, raw);
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
    const facts = (row[2] ?? '').split(SEPARATOR);
    const fact = (index: number) => facts[index] ?? '';
    const kind = fact(1) as Kind;
    const principal: Principal = {
      credentialId: fact(0),
      credentialName: row[1] ?? '',
      kind,
      tenantId: fact(2),
      environment: fact(3) as Environment,
      scopes: scopeSets(fact(7)),
      spaces: fact(8) === UNRESTRICTED ? null : fact(8).split(' '),
      principalKind: KINDS[kind].principal,
      principalId: fact(4),
    };
    return { principal, digestKeyId: fact(5), state: fact(6), allowedIps: fact(9) };
  };
}

const MAX_SCOPE_SETS = 1000;

/** Reads stored scopes. Credentials share few combinations, so that each is put in order once. */
function createScopeSets(): (stored: string) => readonly Scope[] {
  const known = new Map<string, readonly Scope[]>();
  return (stored) => {
    let scopes = known.get(stored);
    if (scopes === undefined) {
      scopes = inCatalogOrder(stored.split(' '));
      if (known.size >= MAX_SCOPE_SETS) known.clear();
      known.set(stored, scopes);
    }
    return scopes;
  };
}
