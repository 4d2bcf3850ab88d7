import type { Context } from 'koa';

import type { Config } from './config.js';
import type { Access, GuardedState } from './credentials/guard.js';
import { KINDS, type Presentation } from './credentials/kinds.js';
import type { Presentations, Presented } from './credentials/presentation.js';
import { METADATA_PATHS } from './discovery/protected-resource.js';
import { ERROR_PAGE_PATH } from './docs/error-page.js';
import type { CorsPath, CorsRules } from './http/cors.js';
import type { Route } from './http/routes.js';
import { CATALOG } from './scopes/catalog.js';

type ApiRoute = Route<Access, GuardedState>;

export const API_PREFIX = '/api/v1';

interface Dependencies {
  readonly config: Config;
  readonly oauth: { readonly open: readonly CorsPath[]; readonly decided: readonly CorsPath[] };
  readonly apiRoutes: readonly ApiRoute[];
  readonly presentations: Presentations;
  /** The headers that keys come in, beside `Authorization`. */
  readonly keyHeaders: readonly string[];
}

/** Who may read which answers across origins, as the routes declare it. */
export function createCorsRules(dependencies: Dependencies): CorsRules {
  const { config, oauth, apiRoutes, presentations, keyHeaders } = dependencies;
  return {
    open: [
      ...[...Object.values(METADATA_PATHS), ERROR_PAGE_PATH].map((path) => ({
        path,
        methods: 'GET, HEAD',
      })),
      ...oauth.open,
    ],
    decided: oauth.decided,
    shown: {
      paths: apiRoutes.filter(isShown).map(({ path }) => API_PREFIX + path),
      headers: ['X-API-Key'],
      isShown: createPublishableCheck(config.TOKEN_BRAND, presentations),
    },
    listed: {
      prefix: `${API_PREFIX}/`,
      origins: new Set(config.CORS_ALLOWED_ORIGINS),
      headers: [...keyHeaders, 'Idempotency-Key'],
    },
  };
}

/** Whether all that a route lets one read may be public. */
function isShown({ method, access }: ApiRoute): boolean {
  if (method !== 'GET' || typeof access !== 'object' || access.scopes.length === 0) return false;
  return access.scopes.every((scope) => CATALOG[scope].public);
}

/**
 * Makes the function that tells whether a request presents a publishable key and nothing else. Told by
 * its looks, so that pages can read why theirs was refused.
 */
function createPublishableCheck(brand: string, presentations: Presentations) {
  const { prefix, presentations: ways } = KINDS.publishable;
  const beginnings = Object.values(prefix).map((kind) => `${brand}_${kind}_`);
  const looksPublishable = ({ raw, by }: Presented) =>
    (ways as readonly Presentation[]).includes(by) &&
    beginnings.some((text) => raw.startsWith(text));
  return ({ req, querystring }: Context) => {
    try {
      const presented = presentations.find(req, querystring);
      return presented !== undefined && looksPublishable(presented);
    } catch {
      // Several at once: the guard says so to whoever sent them, and to nobody else.
      return false;
    }
  };
}
