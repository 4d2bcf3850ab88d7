import { z } from 'zod';

import { eventIdOf } from '../audit-log/index.js';
import { time } from '../http/answers.js';

/** An event as the feed and webhooks show it. */
export interface ShownEvent {
  /** `evt_` and a ULID. It stays the same for ever, and is that of the entry in the audit log. */
  readonly id: string;
  /** The action of the audit entry, such as `api_key.create`. */
  readonly type: string;
  /** The id of the thing that it is about. */
  readonly subject: string;
  /** The id of the tenant; `null` for events of none, such as sign-ins. */
  readonly tenant: string | null;
  /** The id of an account or credential, or `operator`, `anonymous` or `system`. */
  readonly actor: string;
  readonly time: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export const eventAnswer = z.strictObject({
  id: z.string().regex(/^evt_/),
  type: z.string(),
  subject: z.string(),
  tenant: z.string().nullable(),
  actor: z.string(),
  time,
  details: z.record(z.string(), z.unknown()),
});

/** The columns of an event, for `json_build_object` over rows of the audit log named `e`. */
export const EVENT_JSON = `json_build_object('id', e.id, 'xid', e.xid::text,
  'micros', (extract(epoch FROM e.at) * 1000000)::bigint, 'type', e.action, 'subject', e.subject,
  'tenant', e.tenant_id, 'actor', e.actor, 'details', e.details)`;

/** An event as `EVENT_JSON` reads it. */
export interface StoredEvent {
  readonly id: number;
  readonly xid: string;
  /** Microseconds since the epoch. */
  readonly micros: number;
  readonly type: string;
  readonly subject: string;
  readonly tenant: string | null;
  readonly actor: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function presentEvent(event: StoredEvent): ShownEvent {
  const { id, micros, type, subject, tenant, actor, details } = event;
  const shown = new Date(Math.floor(micros / 1000)).toISOString();
  return { id: eventIdOf({ micros, id }), type, subject, tenant, actor, time: shown, details };
}
