import { createHash } from 'node:crypto';

import { createListMatcher } from '../../http/networks.js';
import { serviceUnavailable } from '../../http/errors/problem.js';
import { nameToday } from '../../scopes/catalog.js';
import { isWrittenAs, type ImportedPrefixes } from './prefixes.js';
import type { Keyring } from '../secrets/keyring.js';
import {
  KINDS,
  type Environment,
  type CredentialQuery,
  type KeyKind,
  type Kind,
} from '../kinds.js';
import type { Lookup, LookupQuestion, LookupRow } from './lookup.js';
import { UNANNOTATED, type Annotated, type Binding, type Principal } from '../principal.js';
import type { SecretFormat } from '../secrets/format.js';
import { proofKeyOf } from '../proofs/proof-subject.js';
import { createScopeSets, UNRESTRICTED } from './scope-sets.js';
import { FACTS, FURTHER, MARKS, SEPARATOR } from './verification-queries.js';

/** The reason why a credential was refused. */
export type Refusal =
  'malformed' | 'unknown' | 'revoked' | 'address_not_allowed' | 'expired' | 'tenant_suspended';

/** The result of a verification. The refusal of a known credential includes its principal, for the log. */
export type Verdict =
  | { readonly outcome: 'accepted'; readonly principal: Principal }
  | { readonly outcome: 'refused'; readonly reason: Refusal; readonly principal?: Principal };

/** A text that was presented as a credential, and the address that it came from, as for `Verifier.verify`. */
interface PresentedSecret {
  readonly presented: { readonly raw: string };
  readonly address: string | undefined;
}

export interface Verifier {
  /**
   * Verifies a presented credential by committed state that is read after this call.
   *
   * @param raw the presented text, untrusted
   * @param address the client's address; if `undefined`, allow-lists are not checked
   * @throws Problem `service_unavailable` if the database cannot be queried
   */
  verify(raw: string, address: string | undefined): Promise<Verdict>;
  /** As `verify`, for several credentials at once, in their order. perf: decision 23. */
  verifyAll(all: readonly PresentedSecret[]): Promise<readonly Verdict[]>;
  /** As `verify`, for a stored credential by its digest. Nobody has presented it. */
  verifyStored(
    query: CredentialQuery,
    digest: string,
    address: string | undefined,
  ): Promise<Verdict>;
}

/** Receives observations of the verifier, for the background recorder. */
export interface DigestObserver {
  /**
   * Reports a credential whose digest is under an older key and can be moved to the current one.
   * @param digested the text from which its digest is made
   */
  noteOldDigest(credentialId: string, digested: string): void;
}

interface Dependencies {
  readonly lookup: Lookup<CredentialQuery>;
  readonly format: SecretFormat;
  readonly prefixes: Pick<ImportedPrefixes, 'covers'>;
  readonly keyring: Keyring;
  readonly observer: DigestObserver;
}

/** One verifier for every kind of credential. */
export function createVerifier({ lookup, ...dependencies }: Dependencies): Verifier {
  const { wantedBy, conclude, judgeStored } = createConclusion(dependencies);

  return {
    verifyStored: (query, digest, address) =>
      lookup.find(query, [digest]).then((row) => judgeStored(row, query, address), refuse),
    verify(raw, address) {
      const wanted = wantedBy(raw);
      if (wanted === undefined) return Promise.resolve(MALFORMED);
      // perf: no further promise (decision 22).
      return lookup
        .find(wanted.query, wanted.digests)
        .then((row) => conclude(raw, address, wanted, row), refuse);
    },
    async verifyAll(all) {
      const wanted = all.map(({ presented }) => wantedBy(presented.raw));
      const rows = await lookup.findAll(wanted.filter((one) => one !== undefined)).catch(refuse);
      let next = 0;
      return all.map(({ presented, address }, index) => {
        const found = wanted[index];
        return found === undefined
          ? MALFORMED
          : conclude(presented.raw, address, found, rows[next++]);
      });
    },
  };
}

/** @throws Problem `service_unavailable` always */
function refuse(error: unknown): never {
  throw serviceUnavailable(error);
}

/** Makes the steps before and after a lookup. */
function createConclusion({ format, prefixes, keyring, observer }: Omit<Dependencies, 'lookup'>) {
  const readRow = createRowReader();
  const isInList = createListMatcher();
  const isAllowed = (list: readonly string[] | null, address: string) =>
    list === null || isInList(address, list.join(' '));

  const reasonAgainst = (state: string, { allowedIps }: Principal, address: string | undefined) =>
    judge(state, address === undefined || isAllowed(allowedIps, address));

  /** @returns `undefined` if the text is malformed */
  function wantedBy(raw: string): Wanted | undefined {
    const kind = format.parse(raw)?.kind;
    const isForeign = kind === undefined && prefixes.covers(raw);
    if (kind === undefined && !isForeign) return undefined;
    const digested = isForeign ? digestedOfImported(sha256(raw)) : raw;
    return {
      kind,
      query: kind === undefined ? 'imported' : KINDS[kind].lookupQuery,
      digested,
      digests: keyring.digests(digested),
    };
  }

  function conclude(
    raw: string,
    address: string | undefined,
    { kind, query, digested }: Wanted,
    row: LookupRow | undefined,
  ): Verdict {
    if (row === undefined) return { outcome: 'refused', reason: 'unknown' };
    const { principal, digestKeyId, state, importedAs } = readRow(row, query);
    const isWhatItSays =
      kind === undefined
        ? isWrittenAs(raw, importedAs.prefix, importedAs.pattern)
        : principal.kind === kind;
    if (!isWhatItSays) return { outcome: 'refused', reason: 'unknown' };

    const reason = reasonAgainst(state, principal, address);
    if (reason !== undefined) return { outcome: 'refused', reason, principal };
    // Access tokens are not moved, since they expire soon.
    if (digestKeyId !== keyring.currentId && query !== 'tokens') {
      observer.noteOldDigest(principal.credentialId, digested);
    }
    return { outcome: 'accepted', principal };
  }

  function judgeStored(
    row: LookupRow | undefined,
    query: CredentialQuery,
    address: string | undefined,
  ): Verdict {
    if (row === undefined) return { outcome: 'refused', reason: 'unknown' };
    const { principal, state } = readRow(row, query);
    const reason = reasonAgainst(state, principal, address);
    return reason === undefined
      ? { outcome: 'accepted', principal }
      : { outcome: 'refused', reason, principal };
  }

  return { wantedBy, conclude, judgeStored };
}

/** A well-formed credential, and where to find its row. */
interface Wanted extends LookupQuestion<CredentialQuery> {
  /** `undefined` for a key that was imported. */
  readonly kind: Kind | undefined;
  readonly query: CredentialQuery;
  /** The text from which the digests are made. */
  readonly digested: string;
}

const MALFORMED: Verdict = { outcome: 'refused', reason: 'malformed' };

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/**
 * The text from which the keyed digest of an imported key is made. Only the SHA-256 of such a key is known.
 *
 * @param digest 64 hexadecimal digits, in lower case
 */
export function digestedOfImported(digest: string): string {
  return `sha256:${digest}`;
}

/** Combines state and address. A disallowed address hides expiry and suspension, but not a revocation. */
function judge(state: string, isAddressAllowed: boolean): Refusal | undefined {
  if (state === 'revoked') return state;
  if (!isAddressAllowed) return 'address_not_allowed';
  if (state === 'good') return undefined;
  // Fails closed: an unknown state counts as revoked.
  return state === 'expired' || state === 'tenant_suspended' ? state : 'revoked';
}

function createRowReader() {
  const scopeSets = createScopeSets();
  return (row: LookupRow, query: CredentialQuery) => {
    const facts = row[2].split(SEPARATOR);
    const fact = (index: number) => facts[index] ?? '';
    const kind = fact(1) as Kind;
    const name = row[1] ?? '';
    const { token, exchanged } = query === 'tokens' ? readToken(facts, name) : NO_TOKEN;
    const bindings = fact(12);
    const principal: Principal = {
      credentialId: fact(0),
      credentialName: name,
      kind,
      tenantId: fact(2),
      environment: fact(3) as Environment,
      scopes: scopeSets(
        fact(7),
        // The role of a user limits tokens. A key has none.
        exchanged === undefined ? boundedAs(kind, query) : 'keys',
        HAS_ROLE.includes(query) ? fact(FURTHER) : '',
        query === 'tokens' ? fact(FURTHER + 5) : UNRESTRICTED,
      ),
      spaces: fact(8) === UNRESTRICTED ? null : fact(8).split(' '),
      allowedIps: fact(9) === UNRESTRICTED ? null : fact(9).split(' '),
      bindings: bindings === UNRESTRICTED ? null : (JSON.parse(bindings) as Binding[]),
      principalKind: KINDS[exchanged?.keyKind ?? kind].principal,
      principalId: fact(4),
      issuedAt: Number(fact(10)),
      expiresAt: fact(11) === UNRESTRICTED ? null : Number(fact(11)),
      rateLimitPerMinute: fact(13) === UNRESTRICTED ? null : Number(fact(13)),
      proofKey: proofKeyOf(fact(14)),
      origin: { subjects: fact(15), position: fact(16) },
      annotations: readAnnotations(facts, query),
      token,
      exchanged,
    };
    return {
      principal,
      digestKeyId: fact(5),
      state: fact(6),
      importedAs: { prefix: fact(FURTHER), pattern: fact(FURTHER + 1) },
    };
  };
}

const NO_ANNOTATIONS: Principal['annotations'] = { tenant: UNANNOTATED, key: UNANNOTATED };

/** The queries for credentials that speak for a user. Their first further fact is the user's role. */
const HAS_ROLE: readonly CredentialQuery[] = ['tokens', 'personal'];

const boundedAs = (kind: Kind, query: CredentialQuery) => (kind === 'publishable' ? kind : query);

/** perf: most credentials have none. */
function readAnnotations(
  facts: readonly string[],
  query: CredentialQuery,
): Principal['annotations'] {
  if (facts.length === FACTS[query]) return NO_ANNOTATIONS;
  const given = facts.slice(FACTS[query]);
  const find = (mark: string) => given.find((fact) => fact.startsWith(mark))?.slice(1);
  const read = (id: string, metadata: string): Annotated => ({
    externalId: find(id) ?? null,
    metadata: find(metadata) ?? '',
  });
  return {
    tenant: read(MARKS.tenantId, MARKS.tenantMetadata),
    key: read(MARKS.keyId, MARKS.keyMetadata),
  };
}

type ReadToken = Pick<Principal, 'token' | 'exchanged'>;

const NO_TOKEN: ReadToken = { token: undefined, exchanged: undefined };

function readToken(facts: readonly string[], name: string): ReadToken {
  const [role = '', clientId = '', grantId = '', audience = '', server = '', , keyId = '', kind] =
    facts.slice(FURTHER);
  const serverId = server === '' ? undefined : server;
  if (clientId !== '') {
    const user = { clientId, clientName: name, grantId, role: nameToday(role) };
    return { token: { ...user, audience, serverId }, exchanged: undefined };
  }
  const keyKind = kind === '' ? 'secret' : (kind as KeyKind);
  return { token: undefined, exchanged: { keyId, keyName: name, keyKind, audience, serverId } };
}
