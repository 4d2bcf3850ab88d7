import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import { type Credentials, createCredentialStore } from '../credentials/index.js';
import { KINDS, TENANT_KINDS } from '../credentials/kinds.js';
import { isId } from '../db/id.js';
import { createReader } from '../http/idempotency/unit-of-work.js';
import { createRequests } from '../http/requests.js';
import type { RateLimits } from '../rate-limits/index.js';
import { createObserver, type ApiRoute } from './observer.js';
import { createCredentialTester, type CredentialTester } from './service.js';

interface Dependencies extends Pick<
  Credentials,
  'quietGuard' | 'quietVerifier' | 'format' | 'headers'
> {
  readonly dataSource: DataSource;
  readonly log: Logger;
  readonly docsUrl: string;
  readonly clientAddress: (request: IncomingMessage) => string;
  readonly rateLimits: Pick<RateLimits, 'usageOf'>;
  /** The routes of the API, once they are all declared. */
  readonly routes: () => readonly ApiRoute[];
}

/** Composes the tester of credentials. */
export function createTester(dependencies: Dependencies): CredentialTester {
  const { dataSource, quietGuard, quietVerifier, format, headers, rateLimits, routes } =
    dependencies;
  const store = createCredentialStore(dataSource.manager);
  return createCredentialTester({
    quietVerifier,
    usageOf: rateLimits.usageOf,
    mask: (credential) => format.mask(credential),
    async findKey(tenantId, id) {
      const key = isId('key', id) ? await store.find(tenantId, id) : undefined;
      // Personal tokens belong to their account.
      if (key === undefined || !TENANT_KINDS.includes(key.kind)) return undefined;
      return { lookupQuery: KINDS[key.kind].lookupQuery, digest: key.digest };
    },
    observe: createObserver({
      quietGuard,
      routes,
      requests: createRequests({ ...dependencies, register: new Registry() }) as Middleware,
      reader: createReader(dataSource) as Middleware,
      spaceHeader: headers.space,
    }),
    routes,
  });
}

export { createTesterRoutes } from './routes.js';
export { credentialTest } from './schema.js';
export type { CredentialTester, KnownResult, TestResult } from './service.js';
