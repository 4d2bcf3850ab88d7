import type { DataSource, EntityManager } from 'typeorm';

import { createAuditLog } from '../../audit/index.js';
import type { Keyring, SecretFormat } from '../../credentials/index.js';
import { emailAddress } from '../../http/email-address.js';
import { Problem } from '../../http/errors/problem.js';
import type { Mail } from '../../mail/index.js';
import type { Role } from '../../scopes/roles.js';
import { INVITATION_PATH } from '../paths.js';
import { createInvitationLimits } from './invitation-limits.js';
import {
  createInvitationStore,
  INVITATION_SECONDS,
  type InvitationStore,
  type PendingInvitation,
} from './invitation-store.js';
import type { MemberManager, MembershipService } from './membership-service.js';

/** An administrator who invites. */
export interface Inviter extends MemberManager {
  readonly accountId: string;
  readonly tenantName: string;
  /** Shown in the mail. */
  readonly name: string;
}

/** An invitation that was created or sent again. */
export interface SentInvitation {
  readonly email: string;
  /** Its link, if no mail is sent. */
  readonly link: string | undefined;
}

/** The fault of one of the addresses of a form. */
export interface InvitationFault {
  readonly email: string;
  readonly fault: string;
}

/** Invites people to a tenant by mail. Throws Problems as `MembershipService.admit` does. */
export interface InvitationService {
  /**
   * Invites all of the addresses, or none of them.
   * @returns the invitations, or the faults of the addresses
   * @throws Problem `rate_limited`; `conflict` if too many are pending
   */
  invite(
    by: Inviter,
    emails: readonly string[],
    role: Role,
  ): Promise<
    { readonly sent: readonly SentInvitation[] } | { readonly faults: readonly InvitationFault[] }
  >;
  /**
   * Sends an invitation again, with a new link. The former link ends.
   * @throws Problem `not_found`, `rate_limited`
   */
  resend(by: Inviter, id: string): Promise<SentInvitation>;
  /** @throws Problem `not_found` */
  withdraw(by: Inviter, id: string): Promise<void>;
  /** The pending ones of a tenant, newest first. */
  list(tenantId: string): Promise<readonly PendingInvitation[]>;
}

/** Addresses of one form. */
const MAX_AT_ONCE = 20;
/** Pending and expired invitations of a tenant. */
const MAX_PENDING = 100;

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly mail: Mail;
  readonly issuer: string;
  readonly membershipsIn: (manager: EntityManager) => MembershipService;
  /** A role in words. */
  readonly titleOf: (role: Role) => string;
}

export function createInvitationService(dependencies: Dependencies): InvitationService {
  const { dataSource, keyring, format, mail, membershipsIn } = dependencies;
  const limits = createInvitationLimits(dataSource.manager);
  const storeIn = (manager: EntityManager) => createInvitationStore(manager, keyring, format);
  const asAdministrator = <Result>(
    by: Inviter,
    work: (manager: EntityManager, store: InvitationStore) => Promise<Result>,
  ) =>
    dataSource.transaction(async (manager) => {
      await membershipsIn(manager).admit(by);
      return work(manager, storeIn(manager));
    });

  return {
    async invite(by, typed, role) {
      const { emails, faults } = readAddresses(typed);
      if (faults.length > 0) return { faults };
      const members = await findMembers(dataSource.manager, by.tenantId, emails);
      if (members.length > 0) return { faults: members.map(asMember) };
      await limits.count(by.tenantId, emails);
      return asAdministrator(by, async (manager, store) => {
        await assertRoom(manager, by.tenantId, emails.length);
        const sent: SentInvitation[] = [];
        for (const email of emails) {
          const { id, secret } = await create(store, by, { email, role, isMailed: mail.isSent });
          sent.push(await send(dependencies, manager, by, { email, role, secret }));
          await record(manager, by, 'invitation.create', id, { email, role });
        }
        return { sent };
      });
    },
    async resend(by, id) {
      const { email: recipient } = await find(storeIn(dataSource.manager), by, id);
      await limits.count(by.tenantId, [recipient]);
      return asAdministrator(by, async (manager, store) => {
        const { email, role } = await find(store, by, id);
        const secret = await store.renew(id, mail.isSent);
        await record(manager, by, 'invitation.resend', id, { email, role });
        return send(dependencies, manager, by, { email, role, secret });
      });
    },
    withdraw: (by, id) =>
      asAdministrator(by, async (manager, store) => {
        const { email, role } = await find(store, by, id);
        if (!(await store.delete(by.tenantId, id))) throw notFound();
        await record(manager, by, 'invitation.delete', id, { email, role });
      }),
    list: (tenantId) => storeIn(dataSource.manager).list(tenantId),
  };
}

/** @throws Problem `conflict` if the address is invited already */
async function create(
  store: InvitationStore,
  { tenantId, accountId: invitedBy }: Inviter,
  invitation: { readonly email: string; readonly role: Role; readonly isMailed: boolean },
) {
  const created = await store.create({ ...invitation, tenantId, invitedBy });
  if (created !== undefined) return created;
  const { email } = invitation;
  throw new Problem('conflict', `${email} is invited already. Send the invitation again.`);
}

async function find(store: InvitationStore, { tenantId }: Inviter, id: string) {
  const invitation = await store.find(tenantId, id);
  if (invitation === undefined) throw notFound();
  return invitation;
}

function notFound(): Problem {
  return new Problem('not_found', 'Invitation not found.');
}

/** Queues the mail with the link, within the transaction. */
async function send(
  { mail, issuer, titleOf }: Dependencies,
  manager: EntityManager,
  { name, tenantName }: Inviter,
  { email, role, secret }: { readonly email: string; readonly role: Role; readonly secret: string },
): Promise<SentInvitation> {
  const link = `${issuer}${INVITATION_PATH}?token=${secret}`;
  await mail.queue(manager, {
    kind: 'invitation',
    to: email,
    data: { link, tenant: tenantName, inviter: name, role: titleOf(role) },
    lifetimeSeconds: INVITATION_SECONDS,
  });
  return { email, link: mail.isSent ? undefined : link };
}

function record(
  manager: EntityManager,
  { tenantId, actor }: Inviter,
  action: string,
  id: string,
  details: { readonly email: string; readonly role: Role },
) {
  return createAuditLog(manager).record(actor, { tenantId, action, subject: id, details });
}

/** The addresses in the form in which they are stored, each once. */
function readAddresses(typed: readonly string[]) {
  const emails = new Set<string>();
  const faults: InvitationFault[] = [];
  for (const text of typed.slice(0, MAX_AT_ONCE + 1)) {
    const email = emailAddress.safeParse(text).data;
    if (email === undefined)
      faults.push({ email: text.slice(0, 100), fault: 'is not an email address' });
    else emails.add(email);
  }
  if (typed.length === 0) faults.push({ email: '', fault: 'Enter at least one email address.' });
  if (typed.length > MAX_AT_ONCE) {
    faults.push({ email: '', fault: `Invite at most ${MAX_AT_ONCE} people at once.` });
  }
  return { emails: [...emails], faults };
}

function asMember(email: string): InvitationFault {
  return { email, fault: 'is a member already' };
}

async function findMembers(
  manager: EntityManager,
  tenantId: string,
  emails: readonly string[],
): Promise<readonly string[]> {
  const rows = await manager.query<{ email: string }[]>(
    `SELECT a.email FROM accounts a JOIN memberships m ON m.account_id = a.id
     WHERE a.email = ANY ($2) AND m.tenant_id = $1 ORDER BY a.email`,
    [tenantId, emails],
  );
  return rows.map(({ email }) => email);
}

/** @throws Problem `conflict`; under the lock of the tenant's members, so that the number is exact */
async function assertRoom(manager: EntityManager, tenantId: string, wanted: number): Promise<void> {
  const [{ pending }] = await manager.query<[{ pending: number }]>(
    'SELECT count(*)::int AS pending FROM invitations WHERE tenant_id = $1',
    [tenantId],
  );
  if (pending + wanted <= MAX_PENDING) return;
  throw new Problem(
    'conflict',
    `An organization has at most ${MAX_PENDING} pending invitations. Withdraw some first.`,
  );
}
