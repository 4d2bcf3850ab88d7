import path from 'node:path';

import type { ConsoleViews } from '../console/index.js';
import type { Config } from '../config.js';
import { createBackgroundWork } from '../db/background-work.js';
import { registerPoolMetrics } from '../db/pool-metrics.js';
import { type DocsViews, ERROR_PAGE_PATH, METADATA_PATHS } from '../discovery/index.js';
import { createClientAddress } from '../http/client-address.js';
import { createAssets } from '../http/pages/assets.js';
import type { Brand } from '../http/pages/brand.js';
import { createBrowserSecrets } from '../http/pages/browser-secret.js';
import { createCsrf } from '../http/pages/csrf.js';
import { createPages } from '../http/pages/pages.js';
import { createPagination } from '../http/pagination.js';
import { createRouter } from '../http/router.js';
import type { OAuthViews } from '../oauth/index.js';
import { createOutbound } from '../outbound/index.js';
import type { AppDependencies } from './app-dependencies.js';

export type Platform = ReturnType<typeof createPlatform>;

/** Parts that know neither credentials nor features. */
export function createPlatform(dependencies: AppDependencies) {
  const { config, dataSource, keyring, register, tasks } = dependencies;
  registerPoolMetrics(dataSource, register);
  const issuer = config.ISSUER;
  const browsers = createBrowserSecrets(issuer);
  const brand = brandOf(config);
  const assets = createAssets(brand);
  return {
    work: createBackgroundWork(register, tasks),
    clientAddress: createClientAddress(config.TRUST_PROXY),
    router: createRouter(),
    pagination: createPagination(keyring),
    browsers,
    csrf: createCsrf({ ...keyring, issuer, browsers }),
    assets,
    pages: createPages<DocsViews & OAuthViews & ConsoleViews>({ brand, issuer, assets }),
    docsUrl: issuer + ERROR_PAGE_PATH,
    outbound: createOutbound({ register, isLoopbackAllowed: config.OUTBOUND_ALLOW_LOOPBACK }),
    resourceMetadataUrl: issuer + METADATA_PATHS.api,
  };
}

/** The product's brand, as it is configured. The path of a logo file is relative to the working directory. */
function brandOf(config: Config): Brand {
  const { BRAND_LOGO: logo } = config;
  return {
    name: config.BRAND_NAME,
    color: config.BRAND_COLOR,
    logo: logo === undefined || logo.startsWith('https://') ? logo : path.resolve(logo),
    helpUrl: config.BRAND_HELP_URL,
    termsUrl: config.BRAND_TERMS_URL,
    privacyUrl: config.BRAND_PRIVACY_URL,
  };
}
