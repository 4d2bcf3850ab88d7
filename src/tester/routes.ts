import { z } from 'zod';

import { guardedRoute, type GuardedRoute } from '../credentials/index.js';
import { dataOf } from '../http/answers.js';
import type { RouteContext } from '../http/context.js';
import { sendData } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';
import { credentialTest } from './schema.js';
import type { CredentialTester } from './service.js';

interface Dependencies {
  readonly tester: CredentialTester;
  readonly clientAddress: (request: RouteContext['req']) => string;
}

/** The facts of a credential of the organization follow; those of others have the outcome only. */
const tested = z.looseObject({
  outcome: z.enum(['accepted', 'refused']),
  reason: z.string().optional(),
  explanation: z.string().optional(),
});

/** `/credentials/test`: what a credential is, and what each route says to it. */
export function createTesterRoutes({ tester, clientAddress }: Dependencies): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'POST',
      path: '/credentials/test',
      summary: 'Test a credential without using it',
      access: { scopes: ['api_keys:manage'], principals: ['tenant', 'user'], sessions: true },
      cost: COST.change,
      body: credentialTest,
      answers: { 200: dataOf(tested) },
      async handle(ctx, { body }) {
        const { facts, ...result } = await tester.test(
          ctx.state.principal,
          body,
          clientAddress(ctx.req),
        );
        ctx.set('Cache-Control', 'no-store');
        sendData(ctx, { ...result, ...facts });
      },
    }),
  ];
}
