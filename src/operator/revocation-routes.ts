import { z } from 'zod';

import { holdsCredential } from '../credentials/index.js';
import { dataOf } from '../http/answers.js';
import { sendData } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';
import { text } from '../http/validation.js';
import { revokeSubject } from '../revoke-endpoints/index.js';
import { operatorRoute, type OperatorRoute } from './operator-guard.js';
import { reason } from './reason.js';

/** A client's id can be a URL. */
const MAX_SUBJECT = 2200;

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
        // A pasted credential would be in the answer, which names the subject.
        subject: text(MAX_SUBJECT).refine(
          (value) => !holdsCredential(value),
          'must be an id, not a credential',
        ),
        reason,
      }),
      answers: {
        201: dataOf(z.strictObject({ subject: z.string(), reason: z.string().nullable() })),
      },
      async handle(ctx, { body }) {
        const { manager, actor } = ctx.state;
        await revokeSubject(manager, actor, body.subject, body.reason);
        sendData(ctx, body, 201);
      },
    }),
  ];
}
