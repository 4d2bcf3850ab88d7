import { z } from 'zod';

import { guardedRoute, type GuardedRoute } from '../credentials/index.js';
import { pageOf } from '../http/answers.js';
import { sendPage } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';
import { scopeFacts, SCOPES, type Scope } from '../scopes/catalog.js';

const scopeAnswer = z.strictObject({
  name: z.enum(SCOPES),
  description: z.string(),
  group: z.string(),
  /** Whether a publishable key may carry it. */
  public: z.boolean(),
  apiKeys: z.boolean(),
  oauth: z.boolean(),
});

/** `/scopes`: the catalogue, for forms and integrations. */
export function createScopeRoutes(): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/scopes',
      summary: 'List the scopes of the catalogue',
      access: 'public',
      cost: COST.read,
      answers: { 200: pageOf(scopeAnswer) },
      handle: (ctx) => sendPage(ctx, { items: SCOPES, cursor: null }, present),
    }),
  ];
}

function present(scope: Scope) {
  const { description, group, public: isPublic, grantedTo } = scopeFacts(scope);
  return {
    name: scope,
    description,
    group,
    public: isPublic,
    apiKeys: grantedTo !== 'oauth',
    oauth: grantedTo !== 'keys',
  };
}
