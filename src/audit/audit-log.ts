import type { EntityManager } from 'typeorm';

/** The actor of an audit entry. */
export interface Actor {
  /** A credential's or account's id, or `operator`. */
  readonly id: string;
  readonly address: string | null;
  readonly requestId: string | null;
}

/** The user of the command line. */
export const OPERATOR: Actor = { id: 'operator', address: null, requestId: null };

/** An audited event. `details` is shown to administrators and never contains a secret. */
export interface AuditEvent {
  readonly tenantId: string | null;
  readonly action: string;
  readonly subject: string;
  readonly details?: object;
}

export interface AuditLog {
  /** Adds an entry, in the transaction of the change. */
  record(actor: Actor, event: AuditEvent): Promise<void>;
  /** Adds several entries by one statement. */
  recordAll(actor: Actor, events: readonly AuditEvent[]): Promise<void>;
}

export function createAuditLog(manager: EntityManager): AuditLog {
  return {
    async record(actor, event) {
      const { tenantId, action, subject, details = {} } = event;
      await manager.query(
        `INSERT INTO audit_log (tenant_id, action, subject, details, actor, address, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [
          tenantId,
          action,
          subject,
          JSON.stringify(details),
          actor.id,
          actor.address,
          actor.requestId,
        ],
      );
    },
    async recordAll(actor, events) {
      if (events.length === 0) return;
      await manager.query(
        `INSERT INTO audit_log (tenant_id, action, subject, details, actor, address, request_id)
         SELECT event."tenantId", event.action, event.subject, coalesce(event.details, '{}'), $2, $3, $4
         FROM jsonb_to_recordset($1::jsonb) AS event
           ("tenantId" text, action text, subject text, details jsonb)`,
        [JSON.stringify(events), actor.id, actor.address, actor.requestId],
      );
    },
  };
}
