import { z } from 'zod';

import {
  ANY_PRINCIPAL,
  guardedRoute,
  type GuardedRoute,
  presentPrincipal,
} from '../credentials/index.js';
import { ENVIRONMENTS, KEY_KINDS, KINDS, PRINCIPAL_KINDS } from '../credentials/kinds.js';
import { dataOf, time } from '../http/answers.js';
import { sendData } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';
import { SCOPES } from '../scopes/catalog.js';
import { ROLES } from '../scopes/roles.js';

const common = {
  tenantId: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  environment: z.enum(ENVIRONMENTS),
};

const key = z.strictObject({
  ...common,
  keyId: z.string(),
  keyName: z.string(),
  type: z.enum(KEY_KINDS.map((kind) => KINDS[kind].type)),
  principal: z.strictObject({ kind: z.enum(PRINCIPAL_KINDS), id: z.string() }),
});

const token = z.strictObject({
  ...common,
  type: z.literal(KINDS.access_token.type),
  clientId: z.string(),
  clientName: z.string(),
  userId: z.string(),
  role: z.enum(ROLES),
  expiresAt: time,
});

/** `/me`: describes the presented credential. */
export function createMeRoutes(): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/me',
      summary: 'Describe the presented credential',
      access: { scopes: [], principals: ANY_PRINCIPAL },
      cost: COST.read,
      answers: { 200: dataOf(z.union([key, token])) },
      handle: (ctx) => sendData(ctx, presentPrincipal(ctx.state.principal)),
    }),
  ];
}
