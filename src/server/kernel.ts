import { createResetLinks } from '../accounts/index.js';
import { createRefusedSignIns } from '../audit/index.js';
import { createCredentials } from '../credentials/index.js';
import { createIdempotency } from '../http/idempotency/idempotency.js';
import { ownResources } from '../http/resource-uri.js';
import { createMail } from '../mail/index.js';
import { createOperatorAuthentication } from '../operator-keys/index.js';
import { createRateLimits } from '../rate-limits/index.js';
import { createServerAuthentication } from '../resource-servers/index.js';
import type { AppDependencies } from './app-dependencies.js';
import type { Platform } from './platform.js';

export type Kernel = ReturnType<typeof createKernel>;

/** The parts that all routes share: credentials, rate limits, idempotency. */
export function createKernel(dependencies: AppDependencies, platform: Platform) {
  const { config, dataSource, keyring, log } = dependencies;
  const { work } = platform;
  const credentials = createCredentials({
    ...dependencies,
    ...platform,
    brand: config.TOKEN_BRAND,
    issuer: config.ISSUER,
    audiences: ownResources(config.ISSUER),
  });
  const { manager } = dataSource;
  const { format, activity } = credentials;
  return {
    credentials,
    servers: createServerAuthentication({ ...dependencies, format, observer: activity }),
    operators: createOperatorAuthentication({ ...dependencies, format, observer: activity }),
    rateLimits: createRateLimits({ ...dependencies, ...platform, settings: config, manager }),
    // The space is part of a request's identity.
    idempotency: createIdempotency(keyring, [credentials.headers.space]),
    refusedSignIns: createRefusedSignIns({ dataSource, log, work }),
    mail: createMail({
      ...dependencies,
      ...platform,
      manager,
      settings: config,
      resetLinkFor: createResetLinks({ ...dependencies, format, manager, issuer: config.ISSUER }),
    }),
  };
}
