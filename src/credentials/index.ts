import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import type { BackgroundWork } from '../db/background-work.js';
import { brandHeaders } from './guard/brand-headers.js';
import { corsRulesFor } from './guard/cross-origin.js';
import { createGuard } from './guard/guard.js';
import { createSecretFormat } from './secrets/format.js';
import type { Keyring } from './secrets/keyring.js';
import { createActivityRecorder } from './store/activity.js';
import type { Lookup } from './verification/lookup.js';
import { createImportedPrefixes } from './verification/prefixes.js';
import { createPresentations } from './verification/presentation.js';
import { createVerifier, type VERIFICATION_QUERIES } from './verification/verifier.js';

interface Dependencies {
  /** `TOKEN_BRAND`, the prefix of credentials and a part of header names. */
  readonly brand: string;
  readonly dataSource: DataSource;
  readonly lookup: Lookup<keyof typeof VERIFICATION_QUERIES>;
  readonly keyring: Keyring;
  readonly clientAddress: (request: IncomingMessage) => string;
  /** The resources served here. Tokens for another audience are refused (RFC 8707 §2.2). */
  readonly audiences: readonly string[];
  /** The address of the protected resource metadata (RFC 9728 §5.1). */
  readonly resourceMetadataUrl: string;
  readonly register: Registry;
  readonly log: Logger;
  readonly work: BackgroundWork;
}

export type Credentials = ReturnType<typeof createCredentials>;

/** Composes the parts that read, judge and admit credentials. */
export function createCredentials(dependencies: Dependencies) {
  const { brand, dataSource, lookup, keyring } = dependencies;
  const headers = brandHeaders(brand);
  const format = createSecretFormat({ brand });
  const presentations = createPresentations(headers.token, format);
  const activity = createActivityRecorder(dependencies);
  const prefixes = createImportedPrefixes(dataSource.manager, format.start);
  const verifier = createVerifier({ lookup, format, prefixes, keyring, observer: activity });
  const keyHeaders = ['X-API-Key', headers.token];
  return {
    /** The names of headers with the product's brand. */
    headers,
    /** The headers that carry keys, in addition to `Authorization`. */
    keyHeaders,
    /** @param origins `CORS_ALLOWED_ORIGINS` */
    corsRules: (origins: readonly string[]) =>
      corsRulesFor({ brand, presentations, keyHeaders, origins }),
    format,
    presentations,
    activity,
    prefixes,
    verifier,
    guard: createGuard({ ...dependencies, verifier, presentations, activity }),
  };
}
