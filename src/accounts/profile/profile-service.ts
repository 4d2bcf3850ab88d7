import { createHash } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../../audit/index.js';
import type { Keyring, SecretFormat } from '../../credentials/index.js';
import { errorCode } from '../../db/errors.js';
import type { Mail } from '../../mail/index.js';
import {
  createAttemptStore,
  type AttemptLimit,
  type AttemptVerdict,
} from '../../rate-limits/index.js';
import { createAccountLinks, LINK_SECONDS, type LinkedAccount } from '../links/account-links.js';
import { CONFIRM_PATH } from '../paths.js';

/** The result of confirming an address. `taken`: another account has it by now. */
export type Confirmation = 'confirmed' | 'gone' | 'other_account' | 'taken';

/** The owner's changes of an account. */
export interface ProfileService {
  /**
   * @param seen the name that the change was made from, empty for none; `undefined` changes any
   * @returns false if somebody else has changed the name that was seen
   */
  rename(accountId: string, name: string, actor: Actor, seen: string | undefined): Promise<boolean>;
  /**
   * Sends a link to an address. Once confirmed there, it is the address of the account. Whether another account has the
   * address is not revealed.
   */
  requestConfirmation(
    account: { readonly id: string; readonly email: string },
    email: string,
  ): Promise<AttemptVerdict>;
  findLink(secret: string): Promise<LinkedAccount | undefined>;
  /** @param accountId the signed-in account, which alone may confirm its address */
  confirm(secret: string, accountId: string, actor: Actor): Promise<Confirmation>;
}

/** A recipient may be flooded, whatever account asks. */
const LIMITS = {
  account: { count: 5, seconds: 3600 },
  recipient: { count: 5, seconds: 86_400 },
} as const satisfies Record<string, AttemptLimit>;

const NOTICE_SECONDS = 3 * 86_400;

const UNIQUE_VIOLATION = '23505';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly mail: Mail;
  readonly issuer: string;
}

async function rename(
  manager: EntityManager,
  ...[accountId, name, actor, seen]: Parameters<ProfileService['rename']>
): Promise<boolean> {
  const [, count] = await manager.query<[unknown, number]>(
    `UPDATE accounts SET name = $2
     WHERE id = $1 AND ($3::text IS NULL OR coalesce(name, '') = $3)`,
    [accountId, name, seen ?? null],
  );
  if (count > 0) await record(manager, actor, accountId, { name });
  return count > 0;
}

export function createProfileService({
  dataSource,
  keyring,
  format,
  mail,
  issuer,
}: Dependencies): ProfileService {
  const attempts = createAttemptStore(dataSource.manager);
  const linksIn = (manager: EntityManager) => createAccountLinks(manager, keyring, format);
  return {
    rename: (...change) => dataSource.transaction((manager) => rename(manager, ...change)),
    async requestConfirmation({ id: accountId, email: account }, email) {
      const byAccount = await attempts.take(`confirmation by ${accountId}`, LIMITS.account);
      if (!byAccount.isAllowed) return byAccount;
      const to = createHash('sha256').update(email).digest('hex');
      const forRecipient = await attempts.take(`confirmation to ${to}`, LIMITS.recipient);
      if (!forRecipient.isAllowed) return forRecipient;
      await dataSource.transaction(async (manager) => {
        const links = linksIn(manager);
        // Only the latest address can be confirmed.
        await links.endAllOf(accountId, 'email');
        const secret = await links.create('email', { accountId, email });
        const link = `${issuer}${CONFIRM_PATH}?token=${secret}`;
        await mail.queue(manager, {
          kind: 'confirm-email',
          to: email,
          data: { link, account },
          lifetimeSeconds: LINK_SECONDS.email,
        });
      });
      return { isAllowed: true };
    },
    findLink: (secret) => linksIn(dataSource.manager).find('email', secret),
    async confirm(secret, accountId, actor) {
      const found = await linksIn(dataSource.manager).find('email', secret);
      if (found === undefined) return 'gone';
      if (found.accountId !== accountId) return 'other_account';
      try {
        return await dataSource.transaction(async (manager) => {
          const links = linksIn(manager);
          const used = await links.consume('email', secret);
          if (used?.accountId !== accountId) return 'gone';
          const { email } = used;
          const former = await setEmail(manager, used);
          await record(manager, actor, accountId, { email, emailVerified: true });
          if (former === email) return 'confirmed';
          await links.endAllOf(accountId, 'password');
          await tellFormerAddress(mail, manager, former, email);
          return 'confirmed';
        });
      } catch (error) {
        if (errorCode(error) === UNIQUE_VIOLATION) return 'taken';
        throw error;
      }
    },
  };
}

function tellFormerAddress(mail: Mail, manager: EntityManager, former: string, email: string) {
  return mail.queue(manager, {
    kind: 'email-changed',
    to: former,
    data: { email },
    lifetimeSeconds: NOTICE_SECONDS,
  });
}

/** @returns the former address */
async function setEmail(
  manager: EntityManager,
  { accountId, email }: LinkedAccount,
): Promise<string> {
  const [former] = await manager.query<[{ email: string }]>(
    'SELECT email FROM accounts WHERE id = $1 FOR UPDATE',
    [accountId],
  );
  await manager.query(
    'UPDATE accounts SET email = $2, email_verified_at = gatehouse_now() WHERE id = $1',
    [accountId, email],
  );
  return former.email;
}

function record(manager: EntityManager, actor: Actor, accountId: string, details: object) {
  return createAuditLog(manager).record(actor, {
    tenantId: null,
    action: 'account.update',
    subject: accountId,
    details,
  });
}
