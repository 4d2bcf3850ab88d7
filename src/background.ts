import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

import type { App } from './app.js';
import { clean } from './cleaning.js';
import type { Config } from './config.js';
import { FOLLOWED_WITHIN_SECONDS } from './credentials/imported-prefixes.js';
import type { Keyring } from './credentials/keyring.js';
import { sealAnew } from './credentials/readable.js';
import type { SigningKeys } from './signing-keys/signing-keys.js';

/** Last use must show within ten seconds. */
const FLUSH_EVERY_MS = 7000;
const CLEAN_EVERY_MS = 60_000;
/** How far replicas may lag behind a rotation of the signing keys, or a new prefix of imported keys. */
const FOLLOW_EVERY_MS = FOLLOWED_WITHIN_SECONDS * 1000;
const SHARE_BUDGETS_EVERY_MS = 1000;

interface Dependencies {
  readonly app: Pick<App, 'activity' | 'budgets' | 'prefixes'>;
  readonly config: Pick<Config, 'AUDIT_RETENTION_DAYS'>;
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly signingKeys: SigningKeys;
  readonly log: Logger;
  /** Ends a cleanup under way. */
  readonly signal: AbortSignal;
}

/**
 * Starts the work that no request waits for.
 * @returns ends it, and writes what requests left to be written
 */
export function startBackground(dependencies: Dependencies): () => Promise<void> {
  const { app, signingKeys, log } = dependencies;
  const timers = [
    setInterval(() => void app.activity.flush(), FLUSH_EVERY_MS),
    setInterval(() => void cleanUp(dependencies), CLEAN_EVERY_MS),
    setInterval(() => void refreshSigningKeys(signingKeys, log), FOLLOW_EVERY_MS),
    setInterval(() => void refreshPrefixes(app, log), FOLLOW_EVERY_MS),
    setInterval(() => void app.budgets.sync(), SHARE_BUDGETS_EVERY_MS),
  ];
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await Promise.all([app.activity.flush(), app.budgets.sync()]);
  };
}

async function cleanUp({ config, dataSource, keyring, log, signal }: Dependencies): Promise<void> {
  try {
    await clean(dataSource, signal, { auditRetentionDays: config.AUDIT_RETENTION_DAYS });
    await sealAnew(dataSource.manager, keyring, signal);
  } catch (error) {
    log.warn({ err: error }, 'cleaning up failed');
  }
}

async function refreshSigningKeys(signingKeys: SigningKeys, log: Logger): Promise<void> {
  try {
    if (await signingKeys.refresh()) log.info({}, 'the signing keys changed');
  } catch (error) {
    log.warn({ err: error }, 'the signing keys could not be read; the last ones stay in use');
  }
}

async function refreshPrefixes({ prefixes }: Pick<App, 'prefixes'>, log: Logger): Promise<void> {
  try {
    await prefixes.refresh();
  } catch (error) {
    log.warn(
      { err: error },
      'the prefixes of imported keys could not be read; the known ones stay',
    );
  }
}
