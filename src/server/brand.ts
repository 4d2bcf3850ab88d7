import path from 'node:path';

import type { Config } from '../config.js';
import type { Brand } from '../http/pages/brand.js';

/** The product's brand, as it is configured. The path of a logo file is relative to the working directory. */
export function brandOf(config: Config): Brand {
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
