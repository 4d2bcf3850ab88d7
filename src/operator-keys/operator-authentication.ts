import type {
  DigestObserver,
  Keyring,
  Lookup,
  LookupQueries,
  SecretFormat,
} from '../credentials/index.js';
import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';
import { serviceUnavailable } from '../http/errors/problem.js';
import { createListMatcher } from '../http/networks.js';
import { OPERATOR_PREFIX } from './operator-key-service.js';
import type { OperatorScope } from './scopes.js';

/** The batched lookup of operator keys. */
export const OPERATOR_QUERIES: LookupQueries<'operator_keys'> = {
  operator_keys: (digests) => `
    SELECT c.digest, c.id, json_build_object('scopes', c.scopes, 'allowedIps', c.allowed_ips,
      'digestKeyId', c.digest_key_id, 'isRevoked', ${IS_REVOKED}, 'isExpired', ${IS_EXPIRED})::text
    FROM operator_keys c WHERE c.digest = ANY (${digests}::text[])`,
};

interface Row {
  readonly scopes: readonly OperatorScope[];
  readonly allowedIps: readonly string[] | null;
  readonly digestKeyId: string;
  readonly isRevoked: boolean;
  readonly isExpired: boolean;
}

/** The operator key that calls. */
export interface CallingOperator {
  readonly id: string;
  readonly scopes: readonly OperatorScope[];
}

/** The result of an authentication. A known key that is refused is named, for the log. */
export type OperatorVerdict =
  | { readonly outcome: 'accepted'; readonly operator: CallingOperator }
  | {
      readonly outcome: 'refused';
      readonly reason: 'unknown' | 'revoked' | 'expired' | 'address_not_allowed';
      readonly keyId: string | undefined;
    };

/** Authenticates operator keys, by committed state that is read after the call. */
export interface OperatorAuthentication {
  /** Whether a text begins like an operator key. */
  hasPrefix(text: string): boolean;
  /** Whether a text is written like an operator key. */
  isWritten(text: string): boolean;
  /**
   * @param address the client's address; if `undefined`, allow-lists are not checked
   * @throws Problem `service_unavailable`
   */
  authenticate(secret: string, address: string | undefined): Promise<OperatorVerdict>;
}

interface Dependencies {
  readonly lookup: Lookup<'operator_keys'>;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly observer: DigestObserver;
}

export function createOperatorAuthentication({
  lookup,
  keyring,
  format,
  observer,
}: Dependencies): OperatorAuthentication {
  const isInList = createListMatcher();
  const refuse = (reason: 'unknown' | 'revoked' | 'expired' | 'address_not_allowed', id?: string) =>
    ({ outcome: 'refused', reason, keyId: id }) as const;

  async function find(secret: string) {
    try {
      return await lookup.find('operator_keys', keyring.digests(secret));
    } catch (error) {
      throw serviceUnavailable(error);
    }
  }

  return {
    hasPrefix: (text) => text.startsWith(`${format.start}${OPERATOR_PREFIX}_`),
    isWritten: (text) => format.read(OPERATOR_PREFIX, text) !== undefined,
    async authenticate(secret, address) {
      const found = await find(secret);
      if (found === undefined) return refuse('unknown');
      const id = found[1] ?? '';
      const row = JSON.parse(found[2]) as Row;
      if (row.isRevoked) return refuse('revoked', id);
      // Before the expiry, which a disallowed address does not learn.
      const { allowedIps } = row;
      const isElsewhere =
        allowedIps !== null && address !== undefined && !isInList(address, allowedIps.join(' '));
      if (isElsewhere) return refuse('address_not_allowed', id);
      if (row.isExpired) return refuse('expired', id);
      if (row.digestKeyId !== keyring.currentId) observer.noteOldDigest(id, secret);
      return { outcome: 'accepted', operator: { id, scopes: row.scopes } };
    },
  };
}
