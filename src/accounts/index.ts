import type { DataSource, EntityManager } from 'typeorm';

import type { Keyring, SecretFormat } from '../credentials/index.js';
import type { Mail } from '../mail/index.js';
import type { Role } from '../scopes/roles.js';
import type { HashingQueue } from './hashing-queue.js';
import { createInvitationAcceptance } from './members/invitation-acceptance.js';
import { createInvitationService } from './members/invitation-service.js';
import { createMembershipService } from './members/membership-service.js';
import { FORGOTTEN_PATH } from './paths.js';
import { createPasswordService } from './passwords/password-service.js';
import type { EndSessions } from './passwords/replace-password.js';
import { createProfileService } from './profile/profile-service.js';

export interface AccountsDependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly mail: Mail;
  /** Shared with sign-ins, so that hashing in all is limited. */
  readonly hashing: HashingQueue;
  readonly endSessions: EndSessions;
  /** Deletes what an account allowed apps in a tenant. */
  readonly forgetConsents: (
    manager: EntityManager,
    accountId: string,
    tenantId: string,
  ) => Promise<void>;
  readonly issuer: string;
  /** A role in words. */
  readonly titleOf: (role: Role) => string;
}

export type Accounts = ReturnType<typeof createAccounts>;

/** Composes what people do with accounts: passwords, profile, members, invitations. */
export function createAccounts(dependencies: AccountsDependencies) {
  const { forgetConsents, issuer } = dependencies;
  const membershipsIn = (manager: EntityManager) =>
    createMembershipService(manager, forgetConsents);
  return {
    passwords: createPasswordService({
      ...dependencies,
      forgottenUrl: issuer + FORGOTTEN_PATH,
    }),
    profile: createProfileService(dependencies),
    membershipsIn,
    invitations: createInvitationService({ ...dependencies, membershipsIn }),
    acceptance: createInvitationAcceptance(dependencies),
  };
}

export { ACCOUNT_QUERIES, createAccountLookup, createAnnotationLookup } from './account-lookup.js';
export { createAccountStore, type Member, normalizeEmail } from './account-store.js';
export { Account } from './account.entity.js';
export { createDirectory } from './directory/directory.js';
export {
  accountAnswer,
  accountChange,
  accountPassword,
  mirroredAccount,
  newAccount,
  presentAccount,
} from './directory/directory-schema.js';
export {
  findMembershipOf,
  type ListedMembership,
  listMembershipsOf,
  type MembershipOwner,
} from './directory/membership-list.js';
export {
  importAccounts,
  type ImportOutcome,
  MAX_IMPORT_BYTES,
  MAX_IMPORTED_ACCOUNTS,
} from './import/import-accounts.js';
export {
  type AccountImportReport,
  type ImportAccountLines,
  importAccountLines,
} from './import/import-lines.js';
export { IMPORT_MODES, importedAccount } from './import/import-schema.js';
export { createHashingQueue, HashingBusy, type HashingQueue } from './hashing-queue.js';
export { deleteExpiredLinks, endLinksSentBefore } from './links/account-links.js';
export {
  acceptInvitationOf,
  type FoundInvitation,
  type NotAccepted,
} from './members/invitation-acceptance.js';
export type { InvitationFault, Inviter, SentInvitation } from './members/invitation-service.js';
export {
  deleteOldInvitations,
  endInvitationsSentBefore,
  type PendingInvitation,
} from './members/invitation-store.js';
export {
  createMembershipService,
  LAST_ADMINISTRATOR,
  type MembershipService,
} from './members/membership-service.js';
export { Membership } from './membership.entity.js';
export type { AccountMembership } from './account-memberships.js';
export { hashPassword, markOf, NO_PASSWORD } from './password.js';
export { type EndSessions, replacePassword } from './passwords/replace-password.js';
export { createResetLinks } from './passwords/reset-link.js';
export { CONFIRM_PATH, FORGOTTEN_PATH, INVITATION_PATH, RESET_PATH } from './paths.js';
export type { Confirmation } from './profile/profile-service.js';
export { createSignIn } from './sign-in.js';
