import type { DataSource, EntityManager } from 'typeorm';

import {
  acceptInvitationOf,
  type Account,
  createAccountStore,
  type EndSessions,
  type MembershipService,
  NO_PASSWORD,
  replacePassword,
} from '../accounts/index.js';
import type { Actor } from '../audit/index.js';
import type { Mail } from '../mail/index.js';
import { amrOf } from '../sessions/index.js';
import { nameToday } from '../scopes/catalog.js';
import { createIdentityLinks } from './identity-links.js';
import type { Identity } from './identity.js';
import { linkIdentity, lockAccount, type SessionsIn } from './linking.js';
import type { ProviderEntry } from './providers-document.js';
import { markOfSignIn } from './sign-in-mark.js';

/** An account that a provider signs in, as sessions begin with it. */
export interface AdmittedAccount {
  readonly id: string;
  readonly passwordMark: string;
  /** RFC 8176: the provider knows how the user authenticated. */
  readonly amr: readonly string[];
}

/**
 * The reason why an identity is not admitted. `not_linked`: no account has it, and none may be linked or created.
 * `other_identity`: the account signs in with another identity of the provider. `other_account`: the account does not have
 * it. `taken`: another account has it. `other_session`: the session has ended. `no_role`: the claims give no role.
 * `suspended`: the organization to join is suspended.
 */
export type AdmissionRefusal =
  | 'not_linked'
  | 'other_identity'
  | 'other_account'
  | 'other_session'
  | 'taken'
  | 'no_role'
  | 'suspended';

export type Admission =
  | { readonly account: AdmittedAccount }
  | { readonly refusal: AdmissionRefusal; readonly accountId?: string | undefined };

type Request = Omit<Actor, 'id'>;

/** Decides which account an identity signs in to. */
export interface Admissions {
  /** Signs in: to the linked account, or to one that may be linked or created. */
  signIn(entry: ProviderEntry, identity: Identity, request: Request): Promise<Admission>;
  /** Links an identity to the account of a session. */
  link(
    entry: ProviderEntry,
    identity: Identity,
    session: { readonly accountId: string; readonly sessionId: string },
    request: Request,
  ): Promise<Admission>;
  /** Confirms that the signed-in user is present. */
  confirm(entry: ProviderEntry, identity: Identity, accountId: string): Promise<Admission>;
}

interface Dependencies {
  readonly dataSource: DataSource;
  readonly issuer: string;
  readonly mail: Pick<Mail, 'queue'>;
  readonly sessionsIn: SessionsIn;
  readonly membershipsIn: (manager: EntityManager) => MembershipService;
}

/** Undoes the transaction. */
class Refused extends Error {
  constructor(
    readonly refusal: AdmissionRefusal,
    readonly accountId?: string,
  ) {
    super(refusal);
  }
}

export function createAdmissions(dependencies: Dependencies): Admissions {
  const { dataSource } = dependencies;
  const decide = async (
    entry: ProviderEntry,
    identity: Identity,
    find: (manager: EntityManager) => Promise<Account>,
  ): Promise<Admission> => {
    try {
      return await dataSource.transaction(async (manager) => {
        // First, so that concurrent first sign-ins make one link.
        await createIdentityLinks(manager).takeTurn(identity);
        const { id, passwordHash } = await find(manager);
        return {
          account: {
            id,
            passwordMark: markOfSignIn(passwordHash, identity),
            amr: amrOf(entry.id),
          },
        };
      });
    } catch (error) {
      if (error instanceof Refused) return { refusal: error.refusal, accountId: error.accountId };
      throw error;
    }
  };
  return {
    signIn: (entry, identity, request) =>
      decide(entry, identity, async (manager) => {
        const linked = await createIdentityLinks(manager).find(identity);
        const found = linked === undefined ? undefined : await find(manager, linked);
        if (found === undefined)
          return firstSignIn(dependencies, manager, entry, identity, request);
        await applyRole(dependencies, manager, entry, identity, found.id, request);
        return found;
      }),
    link: (entry, identity, { accountId, sessionId }, request) =>
      decide(entry, identity, async (manager) => {
        const linked = await createIdentityLinks(manager).find(identity);
        if (linked !== undefined && linked !== accountId) throw new Refused('taken', accountId);
        await lockAccount(manager, accountId);
        // The session may have ended while this waited, as when the account is claimed by the owner of its address.
        const session = await dependencies.sessionsIn(manager).findById(sessionId);
        const isActive = session?.accountId === accountId;
        const account = isActive ? await find(manager, accountId) : undefined;
        if (account === undefined) throw new Refused('other_session', accountId);
        if (linked === undefined) {
          await link(dependencies, manager, entry, identity, account, request);
        }
        return account;
      }),
    confirm: (entry, identity, accountId) =>
      decide(entry, identity, async (manager) => {
        const linked = await createIdentityLinks(manager).find(identity);
        const account = linked === accountId ? await find(manager, accountId) : undefined;
        if (account === undefined) throw new Refused('other_account', accountId);
        return account;
      }),
  };
}

async function find(manager: EntityManager, id: string): Promise<Account | undefined> {
  return createAccountStore(manager).find(id);
}

/** Links to the account of a proven address, or creates one. */
async function firstSignIn(
  dependencies: Dependencies,
  manager: EntityManager,
  entry: ProviderEntry,
  identity: Identity,
  request: Request,
): Promise<Account> {
  const { provenEmail } = identity;
  if (provenEmail === undefined) throw new Refused('not_linked');
  const accounts = createAccountStore(manager);
  const known = await accounts.findByEmail(provenEmail);
  if (known === undefined) {
    const created = await accounts.createProven({ email: provenEmail, name: identity.name });
    // Somebody else created it at the same time: the user tries again.
    if (created === undefined) throw new Refused('not_linked');
    await joinAsNew(dependencies, manager, entry, identity, created, request);
    await link(dependencies, manager, entry, identity, created, request);
    return created;
  }
  const locked = await lockAccount(manager, known.id);
  if (locked?.email !== known.email) throw new Refused('not_linked');
  if (!locked.isProven) await claimUnproven(dependencies, manager, known, request);
  await link(dependencies, manager, entry, identity, known, request);
  await applyRole(dependencies, manager, entry, identity, known.id, request);
  // Read again: the password may have been removed.
  return (await find(manager, known.id)) ?? known;
}

async function link(
  dependencies: Dependencies,
  manager: EntityManager,
  entry: ProviderEntry,
  identity: Identity,
  account: Account,
  request: Request,
): Promise<void> {
  const { issuer, subject, email } = identity;
  const linked = { issuer, subject, email };
  // An address that the provider gave to another person must not open the account of the former one.
  if (!(await linkIdentity(dependencies, manager, entry, linked, account, request))) {
    throw new Refused('other_identity', account.id);
  }
}

/**
 * Nobody had proved the address: somebody else may have set the password, or linked identities of their own. Both are
 * removed, and the sessions end, so that only the owner of the address continues.
 */
async function claimUnproven(
  { sessionsIn }: Dependencies,
  manager: EntityManager,
  { id: accountId }: Account,
  request: Request,
): Promise<void> {
  const change = { accountId, passwordHash: NO_PASSWORD, by: 'link' } as const;
  const endSessions: EndSessions = (within, ...which) => sessionsIn(within).endAllOf(...which);
  await replacePassword(manager, endSessions, { ...request, id: accountId }, change);
  await createIdentityLinks(manager).deleteAllOf(accountId);
  await createAccountStore(manager).confirmEmail(accountId);
}

/** A tenant by its id or slug. */
async function findTenant(manager: EntityManager, named: string) {
  const [tenant] = await manager.query<{ id: string; isSuspended: boolean }[]>(
    `SELECT id, suspended_at IS NOT NULL AS "isSuspended" FROM tenants WHERE id = $1 OR slug = $1
     ORDER BY id = $1 DESC LIMIT 1`,
    [named],
  );
  return tenant;
}

/**
 * Joins the organization of the entry with a new account, by its invitation or by the claims. Only new accounts join: a
 * membership that was ended does not come back by a sign-in.
 */
async function joinAsNew(
  { membershipsIn }: Dependencies,
  manager: EntityManager,
  { tenant: named, invitationOnly, roleClaim }: ProviderEntry,
  { role }: Identity,
  account: Account,
  request: Request,
): Promise<void> {
  if (named === undefined) {
    // The invitation itself is accepted by its link: the inviting organization is a stranger to the provider.
    if (await isInvited(manager, account.email)) return;
    throw new Refused('not_linked');
  }
  const tenant = await findTenant(manager, named);
  if (tenant === undefined) throw new Refused('not_linked');
  if (tenant.isSuspended) throw new Refused('suspended');
  if (roleClaim !== undefined && role === undefined) throw new Refused('no_role');
  const actor = { ...request, id: account.id };
  const by = { tenantId: tenant.id, actor };
  const isAccepted = await acceptInvitationOf(manager, tenant.id, account, actor);
  if (!isAccepted && (invitationOnly || role === undefined)) throw new Refused('not_linked');
  const memberships = membershipsIn(manager);
  if (!isAccepted && role !== undefined) await memberships.add(by, account, role);
  else if (roleClaim !== undefined && role !== undefined) {
    await memberships.changeRole(by, account.id, role);
  }
}

async function isInvited(manager: EntityManager, email: string): Promise<boolean> {
  const [row] = await manager.query<[{ exists: boolean }]>(
    `SELECT EXISTS (SELECT FROM invitations WHERE email = $1 AND expires_at > gatehouse_now()) AS exists`,
    [email],
  );
  return row.exists;
}

/** Gives a member the role of the claims, from the next request on. The last administrator keeps the role. */
async function applyRole(
  { membershipsIn }: Dependencies,
  manager: EntityManager,
  { tenant: named, roleClaim }: ProviderEntry,
  { role }: Identity,
  accountId: string,
  request: Request,
): Promise<void> {
  if (named === undefined || roleClaim === undefined) return;
  const tenant = await findTenant(manager, named);
  if (tenant === undefined) return;
  const tenantId = tenant.id;
  const by = { tenantId, actor: { ...request, id: accountId } };
  const memberships = membershipsIn(manager);
  // Takes the lock under which members change, so that the last administrator is exact.
  await memberships.admit(by);
  const member = await createAccountStore(manager).findMembership(tenantId, accountId);
  if (member === undefined) return;
  if (role === undefined) throw new Refused('no_role', accountId);
  const isSame = nameToday(member.role) === role;
  const isLast = await memberships.isLastAdministrator({ tenantId, accountId, role: member.role });
  if (!isSame && !isLast) await memberships.changeRole(by, accountId, role);
}
