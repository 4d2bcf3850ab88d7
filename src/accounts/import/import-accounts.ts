import type { EntityManager } from 'typeorm';

import { type Actor, type AuditEvent, createAuditLog } from '../../audit/index.js';
import { createId } from '../../db/id.js';
import { storedMetadata } from '../../http/annotations.js';
import { changeOf } from '../directory/directory.js';
import { NO_PASSWORD } from '../password.js';
import { isImported } from '../passwords/imported-hash.js';
import type { EndSessions } from '../passwords/replace-password.js';
import type { ImportedAccount, ImportMode } from './import-schema.js';
import {
  createImportStore,
  type KnownAccount,
  type NewMembership,
  type WrittenAccount,
} from './import-store.js';

/** Accounts of one call: enough for one statement each, and few enough for one transaction. */
export const MAX_IMPORTED_ACCOUNTS = 1000;

/** The longest text of a call, within the limit of a body. */
export const MAX_IMPORT_BYTES = 200 * 1024;

/** The outcome of an account: `unchanged` ones were there already. */
export type ImportOutcome =
  | { readonly outcome: 'created' | 'updated' | 'unchanged' }
  | { readonly outcome: 'refused'; readonly reason: string };

export interface ImportOptions {
  readonly mode: ImportMode;
  /** Reports the outcomes without changing anything. */
  readonly dryRun: boolean;
  /** Ends the sessions of accounts whose password is replaced. */
  readonly endSessions: EndSessions;
}

/**
 * Creates accounts of another system with their memberships, or updates those that exist. An account is found by its
 * external id, or else by its address. Memberships are only added; roles stay. A password that its owner chose here
 * stays, too. A password that is replaced ends the sessions of its account, and its links to set a new one. Each change
 * leaves an audit entry.
 *
 * @param manager of a transaction, which holds the whole batch
 * @returns the outcomes in the order of the accounts
 */
export async function importAccounts(
  manager: EntityManager,
  actor: Actor,
  accounts: readonly ImportedAccount[],
  { mode, dryRun, endSessions }: ImportOptions,
): Promise<readonly ImportOutcome[]> {
  const store = createImportStore(manager);
  const plan = await judge(manager, accounts, mode);
  if (dryRun) return plan.map(({ result }) => result);
  const writes = plan.flatMap(({ write }) => write ?? []);
  const inserted = await store.insert(writes.filter(isNew).map(({ row }) => row));
  const raced = new Set(writes.filter((write) => isNew(write) && !inserted.has(write.row.id)));
  const done = writes.filter((write) => !raced.has(write));
  await store.update(done.filter((write) => !isNew(write)).map(({ row }) => row));
  const endsLinks = done.filter(({ isMoved, isReplaced }) => isMoved || isReplaced);
  await store.endPasswordLinks(endsLinks.map(({ row }) => row.id));
  const ended = new Map<string, number>();
  for (const { row } of done.filter(({ isReplaced }) => isReplaced)) {
    ended.set(row.id, await endSessions(manager, row.id));
  }
  const joined = await store.join(done.flatMap(({ memberships }) => memberships));
  await createAuditLog(manager).recordAll(actor, eventsOf(done, joined, ended));
  return plan.map(({ result, write }) =>
    write !== undefined && raced.has(write) ? refused('was created by another call') : result,
  );
}

interface Write {
  readonly row: WrittenAccount;
  readonly isMoved: boolean;
  /** Whether it gets another password than it had. */
  readonly isReplaced: boolean;
  readonly memberships: readonly NewMembership[];
  /** Entries of the account itself, without that of a replaced password. */
  readonly events: readonly AuditEvent[];
  readonly kind: 'insert' | 'update';
}

interface Judged {
  readonly result: ImportOutcome;
  readonly write?: Write;
}

const isNew = ({ kind }: Write) => kind === 'insert';
const refused = (reason: string) => ({ outcome: 'refused', reason }) as const;
const UNCHANGED: Judged = { result: { outcome: 'unchanged' } };

/** Decides about each account by the rows that are there. */
async function judge(
  manager: EntityManager,
  accounts: readonly ImportedAccount[],
  mode: ImportMode,
): Promise<readonly Judged[]> {
  const store = createImportStore(manager);
  const known = await store.findKnown(
    accounts.map(({ email }) => email),
    accounts.flatMap(({ externalId }) => externalId ?? []),
  );
  const byEmail = new Map(known.map((account) => [account.email, account]));
  const byExternalId = new Map(known.map((account) => [account.externalId, account]));
  const tenants = await store.findTenants([
    ...new Set(accounts.flatMap(({ memberships }) => memberships.map(({ tenant }) => tenant))),
  ]);
  const named = new Set<string>();
  const isRepeated = ({ email, externalId }: ImportedAccount) => {
    const names = [`email ${email}`, ...(externalId ? [`id ${externalId}`] : [])];
    const repeated = names.some((name) => named.has(name));
    for (const name of names) named.add(name);
    return repeated;
  };

  return accounts.map((account): Judged => {
    if (isRepeated(account)) return { result: refused('is named twice in one batch') };
    const unknown = account.memberships.find(({ tenant }) => !tenants.has(tenant));
    if (unknown !== undefined) return { result: refused('memberships: there is no such tenant') };
    const holder = byEmail.get(account.email);
    const found = (account.externalId && byExternalId.get(account.externalId)) || holder;
    if (found === undefined) return toInsert(account, tenants);
    if (holder !== undefined && holder !== found) {
      return { result: refused('email: another account has this address') };
    }
    if (account.externalId && ![null, account.externalId].includes(found.externalId)) {
      return { result: refused('externalId: the account of this address has another one') };
    }
    return mode === 'skip' ? UNCHANGED : toUpdate(found, account, tenants);
  });
}

function toInsert(account: ImportedAccount, tenants: ReadonlyMap<string, string>): Judged {
  const { email, name = null, emailVerified = false, externalId = null, metadata = {} } = account;
  const id = createId('usr');
  const { passwordHash = NO_PASSWORD } = account;
  const details = { email, emailVerified, ...(externalId !== null && { externalId }) };
  return {
    result: { outcome: 'created' },
    write: {
      kind: 'insert',
      isMoved: false,
      isReplaced: false,
      row: {
        id,
        email,
        name,
        emailVerified,
        externalId,
        metadata: storedMetadata(metadata),
        passwordHash,
      },
      memberships: membershipsOf(account, id, tenants),
      events: [eventOf('account.create', id, details)],
    },
  };
}

function toUpdate(
  found: KnownAccount,
  account: ImportedAccount,
  tenants: ReadonlyMap<string, string>,
): Judged {
  const { memberships: _memberships, passwordHash: given, ...fields } = account;
  const change = changeOf(found, fields);
  // A password that its owner set here is newer than that of the other system.
  const isOpen = found.passwordHash === NO_PASSWORD || isImported(found.passwordHash);
  const passwordHash = given !== undefined && isOpen ? given : found.passwordHash;
  const isReplaced = passwordHash !== found.passwordHash;
  const memberships = membershipsOf(account, found.id, tenants).filter(
    ({ tenantId }) => !found.tenantIds.includes(tenantId),
  );
  if (change === undefined && !isReplaced && memberships.length === 0) return UNCHANGED;
  const { email, name, externalId, emailVerifiedAt, metadata } = found;
  const former = { email, name, externalId, emailVerified: emailVerifiedAt !== null, metadata };
  const wanted = change && {
    ...change.wanted,
    metadata: storedMetadata(change.wanted.metadata),
  };
  const details = change && { before: change.before, after: change.after };
  return {
    result: { outcome: 'updated' },
    write: {
      kind: 'update',
      isMoved: change?.isMoved ?? false,
      isReplaced,
      row: { id: found.id, ...former, ...wanted, passwordHash },
      memberships,
      events: details === undefined ? [] : [eventOf('account.update', found.id, details)],
    },
  };
}

function membershipsOf(
  { memberships }: ImportedAccount,
  accountId: string,
  tenants: ReadonlyMap<string, string>,
): readonly NewMembership[] {
  // The first of two roles in one tenant holds.
  const roles = new Map(
    memberships.toReversed().map(({ tenant, role }) => [tenants.get(tenant) ?? '', role]),
  );
  return [...roles].map(([tenantId, role]) => ({ accountId, tenantId, role }));
}

function eventOf(action: string, subject: string, details: object): AuditEvent {
  return { tenantId: null, action, subject, details };
}

function eventsOf(
  writes: readonly Write[],
  joined: readonly NewMembership[],
  endedSessions: ReadonlyMap<string, number>,
): readonly AuditEvent[] {
  const emails = new Map(writes.map(({ row }) => [row.id, row.email]));
  return [
    ...writes.flatMap(({ events }) => events),
    ...[...endedSessions].map(([id, count]) =>
      eventOf('account.set_password', id, {
        email: emails.get(id),
        endedSessions: count,
        by: 'import',
      }),
    ),
    ...joined.map(({ accountId, tenantId, role }) => ({
      tenantId,
      action: 'membership.create',
      subject: accountId,
      details: { email: emails.get(accountId), role },
    })),
  ];
}
