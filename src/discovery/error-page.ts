import type { Pages } from '../http/pages/pages.js';
import { OAUTH_ERROR_CODES, type OAuthErrorFacts } from '../http/errors/oauth-error-codes.js';
import { PROBLEMS } from '../http/errors/problem.js';
import type { Route } from '../http/routes.js';
import type { ReferenceViews } from './openapi/routes.js';

export const ERROR_PAGE_PATH = '/docs/errors';

/** The pages of the documentation, by the names of their templates. */
export interface DocsViews extends ReferenceViews {
  readonly 'error-codes': {
    readonly problems: readonly (readonly [
      code: string,
      facts: { readonly status: number; readonly title: string; readonly advice: string },
    ])[];
    readonly oauth: readonly (readonly [code: string, facts: OAuthErrorFacts])[];
  };
}

/** `/docs/errors`: explains each error code. The `type` of every problem, and error pages, link to its section. */
export function createErrorPageRoutes({
  pages,
}: {
  readonly pages: Pages<DocsViews>;
}): Route<'public'>[] {
  const page = {
    title: 'Errors',
    problems: Object.entries(PROBLEMS),
    oauth: Object.entries(OAUTH_ERROR_CODES),
  };
  return [
    {
      method: 'GET',
      path: ERROR_PAGE_PATH,
      access: 'public',
      cors: 'anyOrigin',
      handle(ctx) {
        pages.send(ctx, 'error-codes', page);
        ctx.set('Cache-Control', 'public, max-age=300');
      },
    },
  ];
}
