import { isDeepStrictEqual } from 'node:util';
import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../../audit/index.js';
import { createId } from '../../db/id.js';
import { storedMetadata } from '../../http/annotations.js';
import { Problem } from '../../http/errors/problem.js';
import { NO_PASSWORD } from '../password.js';
import { presentAccount, type AccountChange, type MirroredAccount } from './directory-schema.js';
import type { NewAccount } from './directory-schema.js';
import {
  addressTaken,
  createDirectoryStore,
  type DirectoryStore,
  type ListedAccount,
} from './directory-store.js';

/** An account that was created or updated. */
export interface MirroredResult {
  readonly account: ListedAccount;
  readonly isNew: boolean;
}

/** All accounts, for the operator. Changes leave an audit entry each; the same values are not a change. */
export interface Directory extends Pick<DirectoryStore, 'list'> {
  /** @throws Problem `not_found` */
  find(id: string): Promise<ListedAccount>;
  /**
   * @param passwordHash of a password that was given
   * @throws Problem `conflict` for an address or an external id that is taken
   */
  create(actor: Actor, fields: NewAccount, passwordHash?: string): Promise<ListedAccount>;
  /** @throws Problem `not_found`; `conflict` as `create` does */
  update(actor: Actor, id: string, change: AccountChange): Promise<ListedAccount>;
  /**
   * Creates the account with an external id, or updates it. Simultaneous calls create one. An account that has the
   * address and no external id gets this one.
   *
   * @throws Problem `conflict` for an address of an account with another external id
   */
  mirror(actor: Actor, externalId: string, fields: MirroredAccount): Promise<MirroredResult>;
}

/** @param manager of a transaction, so that a change and its audit entry commit together */
export function createDirectory(manager: EntityManager): Directory {
  const store = createDirectoryStore(manager);
  const audit = createAuditLog(manager);
  const record = (actor: Actor, action: string, subject: string, details: object) =>
    audit.record(actor, { tenantId: null, action, subject, details });
  const find = async (id: string) => (await store.find(id)) ?? notFound(id);

  /** @returns `undefined` if the address or the external id is taken */
  async function insert(actor: Actor, fields: NewAccount, passwordHash = NO_PASSWORD) {
    const { email, name, emailVerified, externalId, metadata } = fields;
    const id = createId('usr');
    const stored = storedMetadata(metadata);
    const row = { id, email, name, emailVerified, externalId, metadata: stored, passwordHash };
    if (!(await store.insert(row))) return undefined;
    const details = { email, emailVerified, ...(externalId !== null && { externalId }) };
    await record(actor, 'account.create', id, details);
    return find(id);
  }

  const update = createUpdate({ store, record, find });

  return {
    find,
    update,
    list: (page, filter) => store.list(page, filter),
    async create(actor, fields, passwordHash) {
      const created = await insert(actor, fields, passwordHash);
      if (created !== undefined) return created;
      const { email, externalId } = fields;
      if ((await store.findByEmail(email)) !== undefined) throw taken(email);
      throw new Problem('conflict', `Another account has the external id ${externalId}.`);
    },
    async mirror(actor, externalId, fields) {
      const known = await store.findByExternalId(externalId);
      if (known !== undefined) {
        return { account: await update(actor, known.id, fields), isNew: false };
      }
      const { email, name = null, emailVerified = false, metadata = {} } = fields;
      const row = { email, name, emailVerified, metadata, externalId };
      const created = await insert(actor, row);
      if (created !== undefined) return { account: created, isNew: true };
      // It was created meanwhile, or was there by its address.
      const other = (await store.findByExternalId(externalId)) ?? (await store.findByEmail(email));
      if (other === undefined || ![null, externalId].includes(other.externalId)) throw taken(email);
      const account = await update(actor, other.id, { ...fields, externalId });
      return { account, isNew: false };
    },
  };
}

interface Parts extends Pick<Directory, 'find'> {
  readonly store: DirectoryStore;
  readonly record: (
    actor: Actor,
    action: string,
    subject: string,
    details: object,
  ) => Promise<void>;
}

function createUpdate({ store, record, find }: Parts): Directory['update'] {
  return async (actor, id, change) => {
    const account = (await store.findForUpdate(id)) ?? notFound(id);
    const changed = changeOf(account, change);
    if (changed === undefined) return account;
    const { wanted, isMoved, before, after } = changed;
    const holder = isMoved ? await store.findByEmail(wanted.email) : undefined;
    if (holder !== undefined) throw taken(wanted.email);
    await store.update({ id, ...wanted, metadata: storedMetadata(wanted.metadata) });
    // The former address may have received one.
    if (isMoved) await store.endPasswordLinks(id);
    await record(actor, 'account.update', id, { before, after });
    return find(id);
  };
}

type Members = Omit<ReturnType<typeof presentAccount>, 'id' | 'createdAt'>;

/** The members of an account after a change, and those that differ, before and after. */
export interface ChangedAccount {
  readonly wanted: Members;
  /** Whether it gets another address. */
  readonly isMoved: boolean;
  readonly before: Partial<Members>;
  readonly after: Partial<Members>;
}

/** @returns `undefined` if the change gives no member another value */
export function changeOf(
  account: ListedAccount,
  change: AccountChange,
): ChangedAccount | undefined {
  const { id: _id, createdAt: _createdAt, ...former } = presentAccount(account);
  const isMoved = change.email !== undefined && change.email !== former.email;
  const given = Object.fromEntries(
    Object.entries(change).filter(([, value]) => value !== undefined),
  ) as Partial<Members>;
  // Nobody has proved to receive mail at a new address.
  const wanted = { ...former, ...(isMoved && { emailVerified: false }), ...given };
  const names = (Object.keys(former) as (keyof Members)[]).filter(
    (member) => !isDeepStrictEqual(former[member], wanted[member]),
  );
  if (names.length === 0) return undefined;
  const pick = (values: Members): Partial<Members> =>
    Object.fromEntries(names.map((member) => [member, values[member]]));
  return { wanted, isMoved, before: pick(former), after: pick(wanted) };
}

function taken(email: string): Problem {
  return new Problem('conflict', addressTaken(email));
}

function notFound(id: string): never {
  throw new Problem('not_found', `There is no account ${id}.`);
}
