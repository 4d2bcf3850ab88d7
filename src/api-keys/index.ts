import type { ActivityRecorder, Keyring, SecretFormat } from '../credentials/index.js';
import type { Pagination } from '../http/pagination.js';
import type { Mail } from '../mail/index.js';
import { createNewKeyMail } from './new-key-mail.js';
import { createKeyPresenter } from './key-presenter.js';
import type { KeyRouteDependencies } from './key-routes.js';
import { createKeyService } from './key-service.js';

interface Dependencies {
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly activity: Pick<ActivityRecorder, 'secondsSinceUse'>;
  readonly pagination: Pagination;
  readonly clientAddress: KeyRouteDependencies['clientAddress'];
  /** `RATE_LIMIT_KEY_PER_MINUTE` */
  readonly defaultRateLimit: number;
  readonly mail: Mail;
  readonly issuer: string;
}

/** The parts that every route and page for keys shares. */
export type ApiKeys = KeyRouteDependencies;

export function createApiKeys(dependencies: Dependencies): ApiKeys {
  const { keyring, format, activity, pagination, clientAddress, defaultRateLimit } = dependencies;
  const notify = createNewKeyMail(dependencies);
  return {
    pagination,
    clientAddress,
    present: createKeyPresenter(keyring),
    serviceOf: ({ state: { manager } }) =>
      createKeyService({
        manager,
        keyring,
        format,
        defaultRateLimit,
        notify,
        secondsSinceUse: (id) => activity.secondsSinceUse(id),
      }),
  };
}

export { createKeyRoutes } from './key-routes.js';

export { type KeyManager, managesKeys, visibleKinds } from './authority.js';
export type { RefusedLine } from './import-line.js';
export { credentialFilterOf, keyFilter } from './key-filter.js';
export { importKeys, type ImportReport } from './key-import.js';
export { createKeyPresenter, keyAnswer } from './key-presenter.js';
export type { KeyRouteDependencies } from './key-routes.js';
export { expandAccess, type MintedKey } from './issue-key.js';
export {
  ACCESS,
  type KeyChange,
  keyChange,
  keyRotation,
  type NewKey,
  newKey,
  newKeyInTenant,
  newPersonalToken,
  personalTokenChange,
} from './key-schema.js';
export { createKeyService, type KeyService } from './key-service.js';
export { createPersonalTokenRoutes } from './personal-tokens.js';
