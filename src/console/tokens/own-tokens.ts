import type { DataSource } from 'typeorm';

import {
  createPersonalTokens,
  type KeyRouteDependencies,
  newPersonalToken,
} from '../../api-keys/index.js';
import { createCredentialStore } from '../../credentials/index.js';
import { parseWith } from '../../http/validation.js';
import type { PersonalTokens } from './personal-tokens.js';

/** Above the number of tokens that an account can have, revoked ones included. */
const MAX_LISTED = 1000;
const DAY_MS = 86_400_000;

/** Manages personal access tokens for their page. Each change is one transaction. */
export function createOwnTokens(
  dataSource: DataSource,
  { serviceOf }: Pick<KeyRouteDependencies, 'serviceOf'>,
): PersonalTokens {
  const { manager } = dataSource;
  const service = createPersonalTokens(manager, (work) =>
    dataSource.transaction((manager) => work(serviceOf({ state: { manager } }))),
  );
  return {
    list: (owner) => service.list(owner, { limit: MAX_LISTED, after: undefined }),
    async create(owner, { expiresInDays, ...fields }) {
      const now = await createCredentialStore(manager).now();
      const expiresAt =
        expiresInDays === null ? null : new Date(now.getTime() + expiresInDays * DAY_MS);
      const wanted = parseWith(newPersonalToken, {
        ...fields,
        expiresAt: expiresAt?.toISOString(),
      });
      const { key, secret } = await service.create(owner, wanted);
      return { name: key.name, secret };
    },
    revoke: (owner, id) => service.revoke(owner, id),
  };
}
