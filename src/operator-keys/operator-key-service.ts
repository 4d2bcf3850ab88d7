import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import { createRevocationStore, type Keyring, type SecretFormat } from '../credentials/index.js';
import { createId } from '../db/id.js';
import { Problem } from '../http/errors/problem.js';
import type { NewOperatorKey } from './operator-key-schema.js';
import { createOperatorKeyStore, type OperatorKey } from './operator-key-store.js';

/** A new operator key with its secret, which is shown once. */
export interface IssuedOperatorKey {
  readonly key: OperatorKey;
  readonly secret: string;
}

/**
 * Creates, rotates and revokes operator keys. Every function throws a Problem: `not_found` for an unknown key, `conflict`
 * for an operation that its status does not allow.
 */
export interface OperatorKeyService {
  create(actor: Actor, fields: NewOperatorKey): Promise<IssuedOperatorKey>;
  /** Newest first, up to `limit`, after the id `after`. */
  list: ReturnType<typeof createOperatorKeyStore>['list'];
  /** Creates a key like the old one, which remains valid for `graceSeconds`. */
  rotate(actor: Actor, id: string, graceSeconds: number): Promise<IssuedOperatorKey>;
  /** Idempotent, with one audit entry. */
  revoke(actor: Actor, id: string, reason: string | null): Promise<OperatorKey>;
}

/** The part between brand and secret. */
export const OPERATOR_PREFIX = 'op';

interface Dependencies {
  /** The manager of a transaction, so that a change and its audit entry commit together. */
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
}

type KeyFields = Pick<OperatorKey, 'name' | 'scopes' | 'allowedIps' | 'expiresAt'>;

export function createOperatorKeyService({
  manager,
  keyring,
  format,
}: Dependencies): OperatorKeyService {
  const store = createOperatorKeyStore(manager);
  const revocations = createRevocationStore(manager);
  const audit = createAuditLog(manager);
  const record = (actor: Actor, action: string, subject: string, details: object) =>
    audit.record(actor, { tenantId: null, action: `operator_key.${action}`, subject, details });
  const get = async (id: string) => (await store.findForUpdate(id)) ?? notFound();

  async function issue(fields: KeyFields, replaced?: string): Promise<IssuedOperatorKey> {
    const id = createId('opk');
    const secret = format.mint(OPERATOR_PREFIX);
    const locked = replaced === undefined ? [] : [replaced];
    const { name, scopes, allowedIps, expiresAt } = fields;
    await store.insert({
      id,
      name,
      scopes,
      allowedIps,
      expiresAt,
      replaces: replaced ?? null,
      digest: keyring.digest(secret),
      masked: format.mask(secret),
      issueSeq: await revocations.drawIssueOrder([id], locked),
    });
    return { key: await get(id), secret };
  }

  return {
    list: (page) => store.list(page),
    async create(actor, { expiresInSeconds, ...fields }) {
      const expiresAt = expiresInSeconds === null ? null : await store.timeIn(expiresInSeconds);
      const issued = await issue({ ...fields, expiresAt });
      await record(actor, 'create', issued.key.id, { ...fields, expiresAt });
      return issued;
    },
    async rotate(actor, id, graceSeconds) {
      const old = await get(id);
      if (old.status !== 'active') {
        throw new Problem('conflict', `The key is ${old.status} and cannot be rotated.`);
      }
      // A second successor would inherit the expiry that the first rotation set.
      if (await store.isReplaced(id)) {
        throw new Problem('conflict', 'The key was rotated already: rotate its successor.');
      }
      const issued = await issue(old, id);
      if (graceSeconds === 0) await revocations.revoke(id, actor.id, 'rotated');
      else await store.expireWithin(id, graceSeconds);
      await record(actor, 'rotate', id, { replacedBy: issued.key.id, graceSeconds });
      return issued;
    },
    async revoke(actor, id, reason) {
      const key = await get(id);
      if (key.status === 'revoked') return key;
      await revocations.revoke(id, actor.id, reason);
      await record(actor, 'revoke', id, { name: key.name, reason });
      return get(id);
    },
  };
}

function notFound(): never {
  throw new Problem('not_found', 'There is no such operator key.');
}
