import type { EntityManager } from 'typeorm';

import { isId } from '../../db/id.js';
import { Problem } from '../../http/errors/problem.js';
import type { Route } from '../../http/routes.js';
import { createLogoStore } from './logo-store.js';

/** Where pictures of logos are. */
export const LOGO_PATH = '/app-logos';

/** Serves the pictures of logos. They are public, as the metadata of clients is. */
export function createLogoRoutes({
  manager,
}: {
  readonly manager: EntityManager;
}): Route<'public'>[] {
  const logos = createLogoStore(manager);
  return [
    {
      method: 'GET',
      path: `${LOGO_PATH}/:address`,
      access: 'public',
      async handle(ctx) {
        const { address = '' } = ctx.params;
        const picture = isId('lgo', address) ? await logos.find(address) : undefined;
        if (picture === undefined) throw new Problem('not_found', 'No logo has this address.');
        ctx.set({
          'Content-Type': 'image/png',
          'Cache-Control': 'public, max-age=31536000, immutable',
          'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
          'Cross-Origin-Resource-Policy': 'same-origin',
        });
        ctx.body = picture;
      },
    },
  ];
}
