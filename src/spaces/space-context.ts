import type { Environment } from '../credentials/kinds.js';

/** The tenant, environment and space that rows belong to. A request reads and writes rows of one context only. */
export interface SpaceContext {
  readonly tenantId: string;
  readonly environment: Environment;
  readonly spaceId: string;
}
