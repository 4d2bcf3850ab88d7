import type { Pages } from '../../http/pages/pages.js';
import { API_PREFIX, type RouteDeclaration } from '../../http/route-declaration.js';
import type { Route } from '../../http/routes.js';
import { createOpenApi, type OpenApiOptions } from './document.js';
import type { DocumentedRoute } from './operation.js';
import { createReference, type Reference } from './reference.js';

const OPENAPI_PATH = `${API_PREFIX}/openapi.json`;
export const REFERENCE_PATH = '/docs/api';

export interface ReferenceViews {
  readonly 'api-reference': Reference & {
    readonly openApiUrl: string;
    readonly issuer: string;
  };
}

interface Dependencies extends OpenApiOptions {
  readonly pages: Pages<ReferenceViews>;
  /** Every route of the API and of OAuth, with its whole path. Undocumented ones are left out. */
  readonly routes: readonly RouteDeclaration[];
}

/** `/api/v1/openapi.json`, and the page that shows the same. Both are made at the first request. */
export function createOpenApiRoutes(dependencies: Dependencies): Route<'public'>[] {
  const { pages, routes, issuer } = dependencies;
  const document = once(() => createOpenApi(routes.filter(isDocumented), dependencies));
  const json = once(() => JSON.stringify(document()));
  const reference = once(() => createReference(document()));
  return [
    {
      method: 'GET',
      path: OPENAPI_PATH,
      access: 'public',
      cors: 'anyOrigin',
      handle(ctx) {
        ctx.set('Cache-Control', 'public, max-age=300');
        ctx.type = 'application/json';
        ctx.body = json();
      },
    },
    {
      method: 'GET',
      path: REFERENCE_PATH,
      access: 'public',
      cors: 'anyOrigin',
      handle(ctx) {
        pages.send(ctx, 'api-reference', {
          title: 'API reference',
          openApiUrl: OPENAPI_PATH,
          issuer,
          ...reference(),
        });
        ctx.set('Cache-Control', 'public, max-age=300');
      },
    },
  ];
}

function isDocumented(route: RouteDeclaration): route is DocumentedRoute {
  return route.summary !== undefined && route.answers !== undefined;
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}
