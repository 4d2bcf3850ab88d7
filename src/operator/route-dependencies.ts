import type { HashingQueue } from '../accounts/index.js';
import type { ApiKeys } from '../api-keys/index.js';
import type { PreRegistration } from '../clients/index.js';
import type { Keyring, SecretFormat } from '../credentials/index.js';
import type { Pagination } from '../http/pagination.js';

/** The parts that the operator's routes need. */
export interface RouteDependencies {
  readonly pagination: Pagination;
  readonly keys: ApiKeys;
  readonly preRegistration: PreRegistration;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** Whether a URL could be requested. */
  readonly isFetchable: (url: string) => boolean;
  /** Shared with sign-ins, so that hashing in all is limited. */
  readonly hashing: HashingQueue;
  /** The resources that this server itself is. */
  readonly ownResources: readonly string[];
}
