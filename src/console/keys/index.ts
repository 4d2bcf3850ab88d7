import type { ApiKeys } from '../../api-keys/index.js';
import type { Keyring } from '../../credentials/index.js';
import type { SettingsRoute } from '../settings-gate.js';
import { createKeyDesk } from './key-desk.js';
import { createKeyPages } from './key-pages.js';
import { API_KEYS, MACHINE_CREDENTIALS, PERSONAL_TOKENS } from './key-section.js';
import { createSecretHandovers } from './secret-handover.js';
import type { KeyPagesDependencies } from './section-routes.js';

interface Dependencies extends Omit<
  KeyPagesDependencies,
  'desk' | 'origins' | 'keyring' | 'secondsSinceUse' | 'issuer' | 'brandName' | 'defaultRateLimit'
> {
  readonly keyring: Keyring;
  readonly keys: ApiKeys;
  readonly activity: Pick<KeyPagesDependencies, 'secondsSinceUse'>;
  readonly config: {
    readonly ISSUER: string;
    readonly BRAND_NAME: string;
    readonly RATE_LIMIT_KEY_PER_MINUTE: number;
    readonly CORS_ALLOWED_ORIGINS: readonly string[];
  };
}

/** The pages of API keys, of machine credentials, and of the visitor's personal tokens. */
export function createKeySettings(dependencies: Dependencies): SettingsRoute[] {
  const { dataSource, keyring, keys, activity, config } = dependencies;
  const handovers = createSecretHandovers(keyring);
  const shared: Omit<KeyPagesDependencies, 'desk'> = {
    ...dependencies,
    issuer: config.ISSUER,
    brandName: config.BRAND_NAME,
    defaultRateLimit: config.RATE_LIMIT_KEY_PER_MINUTE,
    origins: config.CORS_ALLOWED_ORIGINS,
    secondsSinceUse: (id) => activity.secondsSinceUse(id),
  };
  return [API_KEYS, MACHINE_CREDENTIALS, PERSONAL_TOKENS].flatMap((section) => {
    const desk = createKeyDesk({ dataSource, keys, handovers, isOwn: section.isOwn });
    return createKeyPages({ ...shared, desk }, section);
  });
}
