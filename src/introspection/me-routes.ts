import { z } from 'zod';

import {
  ANY_PRINCIPAL,
  guardedRoute,
  type GuardedRoute,
  presentedKey,
  presentedExchange,
  presentedToken,
  principalMembers,
} from '../credentials/index.js';
import { dataOf } from '../http/answers.js';
import { sendDataText } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';

/** `/me`: describes the presented credential. */
export function createMeRoutes(): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/me',
      summary: 'Describe the presented credential',
      access: { scopes: [], principals: ANY_PRINCIPAL },
      cost: COST.read,
      answers: { 200: dataOf(z.union([presentedKey, presentedToken, presentedExchange])) },
      handle: (ctx) => sendDataText(ctx, `{${principalMembers(ctx.state.principal)}}`),
    }),
  ];
}
