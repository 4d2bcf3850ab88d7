import type { EntityManager } from 'typeorm';

import { AuditEntry } from './audit-entry.entity.js';

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
      await manager.insert(AuditEntry, {
        tenantId: event.tenantId,
        action: event.action,
        subject: event.subject,
        details: event.details ?? {},
        actor: actor.id,
        address: actor.address,
        requestId: actor.requestId,
      });
    },
  };
}
