import type { IncomingMessage } from 'node:http';
import type { DataSource } from 'typeorm';

import { createAddressLimit } from '../rate-limits/index.js';
import type { GuardedRoute, SecretFormat, Verifier } from '../credentials/index.js';
import type { FindRefreshRow } from '../grants/index.js';
import type { OperatorAuthentication } from '../operator-keys/index.js';
import { createExposedCredentials } from './exposed-credentials.js';
import { createExposedRoutes } from './exposed-routes.js';
import { createScannerSignatures, type ScannerKey } from './scanner-signatures.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly verifier: Verifier;
  readonly format: SecretFormat;
  readonly findRefreshRow: FindRefreshRow;
  readonly operators: OperatorAuthentication;
  readonly clientAddress: (request: IncomingMessage) => string;
  /** The monotonic clock of sliding windows, in milliseconds since the epoch. */
  readonly now: () => number;
  /** `SECRET_SCANNING_KEYS` */
  readonly scannerKeys: readonly ScannerKey[];
}

/** Composes the public routes that end credentials whose secrets were found. */
export function createExposedCredentialRoutes(dependencies: Dependencies): GuardedRoute[] {
  const { dataSource, now, scannerKeys, clientAddress } = dependencies;
  return createExposedRoutes({
    exposed: createExposedCredentials({
      ...dependencies,
      transaction: (work) => dataSource.transaction(work),
    }),
    limit: createAddressLimit(now),
    clientAddress,
    signatures: scannerKeys.length === 0 ? undefined : createScannerSignatures(scannerKeys),
  });
}

export { type EndedCounts, endIssuedBefore } from './issued-before.js';
export { createRevokeRoutes } from './revoke-routes.js';
export { revokeSubject } from './revoke-subject.js';
