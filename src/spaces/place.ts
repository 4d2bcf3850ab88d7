import type { Environment } from '../credentials/kinds.js';

/** Where the rows of a resource live: nobody reaches across any of the three. */
export interface Place {
  readonly tenantId: string;
  readonly environment: Environment;
  readonly spaceId: string;
}
