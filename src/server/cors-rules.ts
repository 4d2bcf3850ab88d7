import type { Context } from 'koa';

import type { Config } from '../config.js';
import type { Access, GuardedState } from '../credentials/guard/guard.js';
import { KINDS, type Presentation } from '../credentials/kinds.js';
import type { Presentations, Presented } from '../credentials/verification/presentation.js';
import { METADATA_PATHS } from '../discovery/protected-resource.js';
import { ERROR_PAGE_PATH } from '../discovery/error-page.js';
import type { CorsPath, CorsRules } from '../http/cors.js';
import type { Route } from '../http/routes.js';
import { CATALOG } from '../scopes/catalog.js';

type ApiRoute = Route<Access, GuardedState>;

export const API_PREFIX = '/api/v1';

interface Dependencies {
  readonly config: Config;
  readonly oauth: {
    readonly anyOrigin: readonly CorsPath[];
    readonly perResponse: readonly CorsPath[];
  };
  readonly apiRoutes: readonly ApiRoute[];
  readonly presentations: Presentations;
  /** The headers that carry keys, in addition to `Authorization`. */
  readonly keyHeaders: readonly string[];
}

/** Derives the CORS rules from the declared routes. */
export function createCorsRules(dependencies: Dependencies): CorsRules {
  const { config, oauth, apiRoutes, presentations, keyHeaders } = dependencies;
  return {
    anyOrigin: [
      ...[...Object.values(METADATA_PATHS), ERROR_PAGE_PATH].map((path) => ({
        path,
        methods: 'GET, HEAD',
      })),
      ...oauth.anyOrigin,
    ],
    perResponse: oauth.perResponse,
    publishableOnly: {
      paths: apiRoutes.filter(isPublic).map(({ path }) => API_PREFIX + path),
      headers: ['X-API-Key'],
      presentsPublishableKey: createPublishableCheck(config.TOKEN_BRAND, presentations),
    },
    allowedOrigins: {
      prefix: `${API_PREFIX}/`,
      origins: new Set(config.CORS_ALLOWED_ORIGINS),
      headers: [...keyHeaders, 'Idempotency-Key'],
    },
  };
}

/** Whether a route is a read whose scopes are all public. */
function isPublic({ method, access }: ApiRoute): boolean {
  if (method !== 'GET' || typeof access !== 'object' || access.scopes.length === 0) return false;
  return access.scopes.every((scope) => CATALOG[scope].public);
}

/**
 * Makes the check whether a request presents a publishable key and nothing else. It checks the form only, so
 * that a page can read the refusal of an invalid key.
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
      // Several credentials: the guard answers, and no other origin may read that answer.
      return false;
    }
  };
}
