import { z } from 'zod';

import { eventTypes } from '../events/index.js';
import { time } from '../http/answers.js';
import { text, timestamp } from '../http/validation.js';

const MAX_URL = 2000;
const MAX_GRACE_SECONDS = 7 * 86_400;
const GRACE_SECONDS = 86_400;

const fields = { url: text(MAX_URL), types: eventTypes.min(1) };

/** A new webhook. `tenantId` restricts it to the events of a tenant. */
export const newWebhook = z.strictObject({
  ...fields,
  types: fields.types.default(['*']),
  tenantId: z.string().nullable().default(null),
});

export const webhookChange = z.strictObject({ ...fields, enabled: z.boolean() }).partial();

/** How long the former secret signs beside the new one. */
export const webhookRotation = z.strictObject({
  graceSeconds: z.int().min(0).max(MAX_GRACE_SECONDS).default(GRACE_SECONDS),
});

/** Deliveries to repeat: one of the log, or the events since a time. */
export const redelivery = z
  .strictObject({
    deliveryId: z.string().optional(),
    since: timestamp().optional(),
  })
  .refine(({ deliveryId, since }) => (deliveryId === undefined) !== (since === undefined), {
    error: 'must have either deliveryId or since',
    path: ['deliveryId'],
    params: { code: 'required' },
  });

export type NewWebhook = z.output<typeof newWebhook>;
export type WebhookChange = z.output<typeof webhookChange>;
export type Redelivery = z.output<typeof redelivery>;

/** Why a webhook is disabled: by a person, three days of failures, or the answer 410. */
const DISABLED_REASONS = ['manual', 'failing', 'gone'] as const;
export type DisabledReason = (typeof DISABLED_REASONS)[number];

const DELIVERY_STATES = ['pending', 'delivered', 'canceled'] as const;

export const webhookAnswer = z.strictObject({
  id: z.string().regex(/^whk_/),
  url: z.string(),
  types: z.array(z.string()),
  tenantId: z.string().nullable(),
  enabled: z.boolean(),
  disabledAt: time.nullable(),
  disabledReason: z.enum(DISABLED_REASONS).nullable(),
  createdAt: time,
});

export const deliveryAnswer = z.strictObject({
  id: z.string().regex(/^dlv_/),
  eventId: z.string().regex(/^evt_/),
  type: z.string(),
  subject: z.string(),
  state: z.enum(DELIVERY_STATES),
  attempts: z.int(),
  lastAttemptAt: time.nullable(),
  nextAttemptAt: time.nullable(),
  status: z.int().nullable(),
  fault: z.string().nullable(),
  durationMs: z.int().nullable(),
  createdAt: time,
});
