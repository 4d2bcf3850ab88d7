import type { Access, GuardedState } from '../credentials/index.js';
import { sendPage } from '../http/envelope.js';
import type { Route } from '../http/routes.js';
import { CATALOG, SCOPES, type Scope } from '../scopes/catalog.js';

/** `/scopes`: the catalogue, for forms and integrations. */
export function createScopeRoutes(): Route<Access, GuardedState>[] {
  return [
    {
      method: 'GET',
      path: '/scopes',
      access: 'public',
      handle: (ctx) => sendPage(ctx, { items: SCOPES, cursor: null }, present),
    },
  ];
}

function present(scope: Scope) {
  const { description, group, public: isPublic, grantedTo } = CATALOG[scope];
  return {
    name: scope,
    description,
    group,
    public: isPublic,
    apiKeys: grantedTo !== 'oauth',
    oauth: grantedTo !== 'keys',
  };
}
