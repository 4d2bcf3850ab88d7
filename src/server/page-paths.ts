import { OAUTH_PATHS } from '../oauth/index.js';

/** Path prefixes of pages. */
export const PAGE_PATHS = [
  OAUTH_PATHS.authorize,
  OAUTH_PATHS.endSession,
  '/login',
  '/logout',
  '/consent',
  '/device',
  '/forgot-password',
  '/reset-password',
  '/invitation',
  '/confirm-email',
  '/settings',
];
