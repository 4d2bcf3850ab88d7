import { z } from 'zod';

import { dataOf } from '../http/answers.js';
import { sendData } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';
import { text } from '../http/validation.js';
import { revokeSubject } from '../revocation/index.js';
import { operatorRoute, type OperatorRoute } from './operator-guard.js';

/** A client's id can be a URL. */
const MAX_SUBJECT = 2200;
const MAX_REASON = 500;

/** `/operator/revocations`: ends everything that belongs to a subject. */
export function createRevocationRoutes(): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'POST',
      path: '/operator/revocations',
      summary: 'End everything that belongs to a subject',
      access: { operator: 'credentials:manage' },
      cost: COST.change,
      body: z.strictObject({
        subject: text(MAX_SUBJECT),
        reason: text(MAX_REASON).nullable().default(null),
      }),
      answers: {
        201: dataOf(z.strictObject({ subject: z.string(), reason: z.string().nullable() })),
      },
      async handle(ctx, { body: { subject, reason } }) {
        const { manager, actor } = ctx.state;
        await revokeSubject(manager, actor, subject, reason);
        sendData(ctx, { subject, reason }, 201);
      },
    }),
  ];
}
