import type { Pages } from '../http/pages/pages.js';
import { PROBLEMS } from '../http/errors/problem.js';
import type { Route } from '../http/routes.js';

export const ERROR_PAGE_PATH = '/docs/errors';

/** The page that explains each error code, by the name of its template. */
export interface DocsViews {
  readonly 'error-codes': {
    readonly problems: readonly (readonly [
      code: string,
      facts: { readonly status: number; readonly title: string; readonly advice: string },
    ])[];
  };
}

/** `/docs/errors`: explains each error code. The `type` of every problem links to its section. */
export function createErrorPageRoutes({
  pages,
}: {
  readonly pages: Pages<DocsViews>;
}): Route<'public'>[] {
  const page = { title: 'Errors', problems: Object.entries(PROBLEMS) };
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
