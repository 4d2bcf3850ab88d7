import type { ActivityRecorder } from '../credentials/store/activity.js';
import type { Keyring } from '../credentials/secrets/keyring.js';
import type { SecretFormat } from '../credentials/secrets/format.js';
import type { Pagination } from '../http/pagination.js';
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
}

/** The parts that every route and page for keys shares. */
export type ApiKeys = KeyRouteDependencies;

export function createApiKeys(dependencies: Dependencies): ApiKeys {
  const { keyring, format, activity, pagination, clientAddress, defaultRateLimit } = dependencies;
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
        secondsSinceUse: (id) => activity.secondsSinceUse(id),
      }),
  };
}

export { createKeyRoutes } from './key-routes.js';
