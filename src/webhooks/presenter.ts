import { eventIdOf } from '../audit-log/index.js';
import type { Delivery } from './delivery-store.js';
import type { Webhook } from './webhook-store.js';

export function presentWebhook({ disabledAt, ...webhook }: Webhook) {
  const { id, url, types, tenantId, disabledReason, createdAt } = webhook;
  const enabled = disabledAt === null;
  return { id, url, types, tenantId, enabled, disabledAt, disabledReason, createdAt };
}

export function presentDelivery({ seq, eventId, micros, dueAt, ...delivery }: Delivery) {
  const { type, subject, state, attempts, lastAttemptAt } = delivery;
  const { status, fault, durationMs, createdAt } = delivery;
  return {
    id: `dlv_${seq}`,
    eventId: eventIdOf({ micros, id: eventId }),
    type,
    subject,
    state,
    attempts,
    lastAttemptAt,
    nextAttemptAt: state === 'pending' ? dueAt : null,
    status,
    fault,
    durationMs,
    createdAt,
  };
}
