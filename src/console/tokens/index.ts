import type { DataSource } from 'typeorm';

import type { KeyRouteDependencies } from '../../api-keys/index.js';
import { createSpaceStore, MAX_SPACES } from '../../spaces/index.js';
import { createOwnTokens } from './own-tokens.js';
import { createTokenPages, type TokenPagesDependencies } from './token-pages.js';

interface Dependencies extends Omit<TokenPagesDependencies, 'tokens' | 'spacesOf'> {
  readonly dataSource: DataSource;
  readonly keys: KeyRouteDependencies;
}

/** The pages of personal access tokens. */
export function createTokenSettings(dependencies: Dependencies): TokenRoutes {
  const { dataSource, keys } = dependencies;
  return createTokenPages({
    ...dependencies,
    tokens: createOwnTokens(dataSource, keys),
    async spacesOf(tenantId) {
      const page = { limit: MAX_SPACES, after: undefined };
      const spaces = await createSpaceStore(dataSource.manager).list(tenantId, null, page);
      return spaces.toSorted((one, other) => one.name.localeCompare(other.name, 'en'));
    },
  });
}

type TokenRoutes = ReturnType<typeof createTokenPages>;
