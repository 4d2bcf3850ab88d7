import type { Context } from 'koa';

import { scopeFacts } from '../../scopes/catalog.js';
import type { CorsRules } from '../../http/cors.js';
import { API_PREFIX, type Cors, type RouteDeclaration } from '../../http/route-declaration.js';
import { KINDS, type Presentation } from '../kinds.js';
import type { Presentations, Presented } from '../verification/presentation.js';
import type { Access } from './admission.js';

/**
 * The rule for a route of the resource API. Pages of any origin may use publishable keys on reads whose scopes are all
 * public, and nothing else.
 */
export function corsOf({
  method,
  access,
}: Pick<RouteDeclaration<Access>, 'method' | 'access'>): Cors {
  if (method !== 'GET' || typeof access !== 'object' || access.scopes.length === 0) {
    return 'allowedOrigins';
  }
  const isPublic = access.scopes.every((scope) => scopeFacts(scope).public);
  return isPublic ? 'publishableOnly' : 'allowedOrigins';
}

/** The CORS rules that concern credentials. */
export function corsRulesFor({
  brand,
  presentations,
  keyHeaders,
  origins,
}: {
  readonly brand: string;
  readonly presentations: Presentations;
  /** The headers that carry keys, in addition to `Authorization`. */
  readonly keyHeaders: readonly string[];
  /** `CORS_ALLOWED_ORIGINS` */
  readonly origins: readonly string[];
}): CorsRules {
  return {
    publishableOnly: {
      headers: ['X-API-Key'],
      presentsPublishableKey: createPublishableCheck(brand, presentations),
    },
    allowedOrigins: {
      prefix: `${API_PREFIX}/`,
      origins: new Set(origins),
      headers: [...keyHeaders, 'Idempotency-Key'],
    },
  };
}

/**
 * Makes the check whether a request presents a publishable key and nothing else. It checks the form only, so
 * that a page can read the refusal of an invalid key.
 */
function createPublishableCheck(
  brand: string,
  presentations: Presentations,
): (ctx: Context) => boolean {
  const { prefix, presentations: ways } = KINDS.publishable;
  const beginnings = Object.values(prefix).map((kind) => `${brand}_${kind}_`);
  const looksPublishable = ({ raw, by }: Presented) =>
    (ways as readonly Presentation[]).includes(by) &&
    beginnings.some((text) => raw.startsWith(text));
  return ({ req, querystring }) => {
    try {
      const presented = presentations.find(req, querystring);
      return presented !== undefined && looksPublishable(presented);
    } catch {
      // Several credentials: the guard answers, and no other origin may read that answer.
      return false;
    }
  };
}
