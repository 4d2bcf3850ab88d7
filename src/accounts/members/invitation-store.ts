import type { EntityManager } from 'typeorm';

import type { Keyring, SecretFormat } from '../../credentials/index.js';
import { createId } from '../../db/id.js';
import { inBatches } from '../../db/batches.js';
import { prepared } from '../../db/prepared.js';
import type { Role } from '../../scopes/roles.js';

/** An invitation that was not accepted yet. */
export interface PendingInvitation {
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly invitedBy: string;
  readonly isMailed: boolean;
  readonly isExpired: boolean;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** An invitation to be stored. */
interface NewInvitation {
  readonly tenantId: string;
  readonly email: string;
  readonly role: Role;
  readonly invitedBy: string;
  /** Whether its link is only sent by mail, which proves the address. */
  readonly isMailed: boolean;
}

/** An invitation as the invited person sees it. */
export interface OpenInvitation extends Pick<
  PendingInvitation,
  'id' | 'email' | 'role' | 'isMailed'
> {
  readonly tenantId: string;
  readonly tenantName: string;
  readonly isTenantSuspended: boolean;
  /** The name or the address of the administrator. */
  readonly inviter: string;
}

export const INVITATION_SECONDS = 7 * 86_400;

/** Expired ones stay listed, so that they can be sent again. */
const EXPIRED_KEPT_DAYS = 30;

const PREFIX = 'inv';

/** Invitations to tenants. Each has one link, of which only a keyed digest is stored, and which works once. */
export interface InvitationStore {
  /** @returns the link's secret; `undefined` if the address is invited already */
  create(
    invitation: NewInvitation,
  ): Promise<{ readonly id: string; readonly secret: string } | undefined>;
  /** Gives an invitation a new link and a new time. The former link ends. @returns the secret */
  renew(id: string, isMailed: boolean): Promise<string>;
  find(tenantId: string, id: string): Promise<PendingInvitation | undefined>;
  /** All of a tenant, newest first. Their number is bounded. */
  list(tenantId: string): Promise<readonly PendingInvitation[]>;
  /** Finds what a link leads to, without using it. */
  findBySecret(secret: string): Promise<OpenInvitation | undefined>;
  /** Uses a link. Exactly one of concurrent calls succeeds. */
  consume(secret: string): Promise<boolean>;
  /** @returns false if it is gone */
  delete(tenantId: string, id: string): Promise<boolean>;
}

const COLUMNS = `i.id, i.email, i.role, i.invited_by AS "invitedBy", i.is_mailed AS "isMailed",
  i.expires_at <= gatehouse_now() AS "isExpired", i.created_at AS "createdAt", i.expires_at AS "expiresAt"`;

const LIST = {
  name: 'list-invitations',
  text: `SELECT ${COLUMNS} FROM invitations i WHERE i.tenant_id = $1 ORDER BY i.id DESC`,
};

/** @param manager may belong to a transaction */
export function createInvitationStore(
  manager: EntityManager,
  keyring: Keyring,
  format: SecretFormat,
): InvitationStore {
  const mint = (): Link => {
    const secret = format.mint(PREFIX);
    return { secret, ...keyring.digest(secret) };
  };
  const digestsOf = (secret: string) =>
    format.read(PREFIX, secret) === undefined ? [] : keyring.digests(secret);
  return {
    create: (invitation) => insert(manager, invitation, mint()),
    renew: (id, isMailed) => replaceLink(manager, id, isMailed, mint()),
    async find(tenantId, id) {
      const [row] = await manager.query<PendingInvitation[]>(
        `SELECT ${COLUMNS} FROM invitations i WHERE i.tenant_id = $1 AND i.id = $2`,
        [tenantId, id],
      );
      return row;
    },
    list: (tenantId) => prepared(manager)<PendingInvitation>(LIST, [tenantId]),
    findBySecret: (secret) => findOpen(manager, digestsOf(secret)),
    async consume(secret) {
      const [, rows] = await manager.query<[unknown, number]>(
        'DELETE FROM invitations WHERE digest = ANY ($1) AND expires_at > gatehouse_now()',
        [digestsOf(secret)],
      );
      return rows > 0;
    },
    async delete(tenantId, id) {
      const [, rows] = await manager.query<[unknown, number]>(
        'DELETE FROM invitations WHERE tenant_id = $1 AND id = $2',
        [tenantId, id],
      );
      return rows > 0;
    },
  };
}

/** A link's secret, and the digest that is stored. */
interface Link {
  readonly secret: string;
  readonly digest: string;
  readonly keyId: string;
}

async function insert(
  manager: EntityManager,
  { tenantId, email, role, invitedBy, isMailed }: NewInvitation,
  { secret, digest, keyId }: Link,
): Promise<{ readonly id: string; readonly secret: string } | undefined> {
  const id = createId('inv');
  const rows = await manager.query<object[]>(
    `INSERT INTO invitations (id, tenant_id, email, role, digest, digest_key_id, is_mailed, invited_by, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, gatehouse_now() + make_interval(secs => $9))
     ON CONFLICT ON CONSTRAINT invitations_email_key DO NOTHING RETURNING id`,
    [id, tenantId, email, role, digest, keyId, isMailed, invitedBy, INVITATION_SECONDS],
  );
  return rows.length === 0 ? undefined : { id, secret };
}

async function replaceLink(
  manager: EntityManager,
  id: string,
  isMailed: boolean,
  { secret, digest, keyId }: Link,
): Promise<string> {
  await manager.query(
    `UPDATE invitations SET digest = $2, digest_key_id = $3, is_mailed = $4,
       expires_at = gatehouse_now() + make_interval(secs => $5) WHERE id = $1`,
    [id, digest, keyId, isMailed, INVITATION_SECONDS],
  );
  return secret;
}

async function findOpen(
  manager: EntityManager,
  digests: readonly string[],
): Promise<OpenInvitation | undefined> {
  const [row] = await manager.query<OpenInvitation[]>(
    `SELECT i.id, i.email, i.role, i.is_mailed AS "isMailed", t.id AS "tenantId", t.name AS "tenantName",
       t.suspended_at IS NOT NULL AS "isTenantSuspended", coalesce(a.name, a.email) AS inviter
     FROM invitations i JOIN tenants t ON t.id = i.tenant_id JOIN accounts a ON a.id = i.invited_by
     WHERE i.digest = ANY ($1) AND i.expires_at > gatehouse_now()`,
    [digests],
  );
  return row;
}

/**
 * Ends the links of invitations that were sent before a time. The invitations stay listed as expired, so that they can be
 * sent again.
 *
 * @returns how many were open
 */
export async function endInvitationsSentBefore(
  manager: EntityManager,
  time: Date,
): Promise<number> {
  const [{ count }] = await manager.query<[{ count: number }]>(
    `WITH ended AS (
       UPDATE invitations SET expires_at = gatehouse_now()
       WHERE expires_at > gatehouse_now() AND expires_at - make_interval(secs => $2) < $1
       RETURNING 1)
     SELECT count(*)::int AS count FROM ended`,
    [time, INVITATION_SECONDS],
  );
  return count;
}

/** Deletes invitations that expired a month ago. @returns the number of rows */
export function deleteOldInvitations(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(async (limit) => {
    const [, rows] = await manager.query<[unknown, number]>(
      `DELETE FROM invitations WHERE id IN (SELECT id FROM invitations
         WHERE expires_at <= gatehouse_now() - make_interval(days => $1)
         ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [EXPIRED_KEPT_DAYS, limit],
    );
    return rows;
  }, signal);
}
