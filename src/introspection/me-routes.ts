import {
  type Access,
  ANY_PRINCIPAL,
  type GuardedState,
  presentPrincipal,
} from '../credentials/index.js';
import { sendData } from '../http/envelope.js';
import type { Route } from '../http/routes.js';

/** `/me`: describes the presented credential. */
export function createMeRoutes(): Route<Access, GuardedState>[] {
  return [
    {
      method: 'GET',
      path: '/me',
      access: { scopes: [], principals: ANY_PRINCIPAL },
      handle: (ctx) => sendData(ctx, presentPrincipal(ctx.state.principal)),
    },
  ];
}
