import type { EntityManager } from 'typeorm';

/** By whom and through what something was done. */
export interface Actor {
  /** A credential's or account's id, or `operator`. */
  readonly id: string;
  readonly address: string | null;
  readonly requestId: string | null;
}

/** Someone with the command line in hand. */
export const OPERATOR: Actor = { id: 'operator', address: null, requestId: null };

/** What happened. Never a secret: `details` is shown to administrators. */
export interface AuditEvent {
  readonly tenantId: string | null;
  readonly action: string;
  readonly subject: string;
  readonly details?: object;
}

export interface AuditLog {
  /** Adds an entry, in the transaction of what it tells of. */
  record(actor: Actor, event: AuditEvent): Promise<void>;
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
  };
}
