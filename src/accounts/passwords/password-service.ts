import { createHash } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';

import type { Actor } from '../../audit/index.js';
import type { Keyring, SecretFormat } from '../../credentials/index.js';
import { subscriberOf } from '../../http/networks.js';
import type { Mail } from '../../mail/index.js';
import {
  createAttemptStore,
  type AttemptLimit,
  type AttemptVerdict,
} from '../../rate-limits/index.js';
import { normalizeEmail } from '../account-store.js';
import type { HashingQueue } from '../hashing-queue.js';
import { createAccountLinks, LINK_SECONDS, type LinkedAccount } from '../links/account-links.js';
import { hashPassword } from '../password.js';
import { replacePassword, type EndSessions } from './replace-password.js';

/** Sets passwords: by a link that was sent by mail, or by the owner who knows the current one. */
export interface PasswordService {
  /**
   * Queues a mail with a link, if the address belongs to an account. The work and the answer are the same if it does
   * not: whether an account exists is looked up when the mail is sent.
   */
  requestLink(email: string, address: string): Promise<AttemptVerdict>;
  /** Finds the account of a link without using it. */
  findLink(secret: string): Promise<LinkedAccount | undefined>;
  /**
   * Sets a password by a link.
   * @param password accepted by `passwordFault`
   * @returns false if the link was used, replaced or has expired
   */
  setByLink(secret: string, password: string, actor: Omit<Actor, 'id'>): Promise<boolean>;
  /**
   * Replaces a password whose current value was just checked.
   * @returns false if it was changed meanwhile
   */
  change(
    account: { readonly id: string; readonly passwordHash: string; readonly sessionId: string },
    password: string,
    actor: Actor,
  ): Promise<boolean>;
}

/** Requests of one address, and for one account. Behind the mailbox is one person, who may be flooded. */
const LIMITS = {
  address: { count: 20, seconds: 3600 },
  account: { count: 3, seconds: 3600 },
} as const satisfies Record<string, AttemptLimit>;

/** Notices are of use for a few days. */
const NOTICE_SECONDS = 3 * 86_400;

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly mail: Mail;
  readonly hashing: HashingQueue;
  readonly endSessions: EndSessions;
  /** The page that asks for an address, named in notices. */
  readonly forgottenUrl: string;
}

export function createPasswordService(dependencies: Dependencies): PasswordService {
  const { dataSource, keyring, format, mail, hashing, endSessions, forgottenUrl } = dependencies;
  const { manager } = dataSource;
  const attempts = createAttemptStore(manager);
  const links = (of: EntityManager) => createAccountLinks(of, keyring, format);
  const notify = (transaction: EntityManager, to: string) =>
    queueNotice(mail, transaction, to, forgottenUrl);

  return {
    async requestLink(email, address) {
      const to = normalizeEmail(email);
      const byAddress = await attempts.take(
        `password link from ${fingerprint(subscriberOf(address))}`,
        LIMITS.address,
      );
      if (!byAddress.isAllowed) return byAddress;
      // A refusal by this limit is not shown: it would tell that somebody else asked for the account.
      const forAccount = await attempts.take(`password link of ${fingerprint(to)}`, LIMITS.account);
      if (forAccount.isAllowed) await queueLink(mail, manager, to);
      return { isAllowed: true };
    },
    findLink: (secret) => links(manager).find('password', secret),
    async setByLink(secret, password, request) {
      // Checked before hashing, so that an invalid link costs no hash.
      if ((await links(manager).find('password', secret)) === undefined) return false;
      const passwordHash = await hashing.run('unknown', () => hashPassword(password));
      return dataSource.transaction(async (transaction) => {
        const used = await links(transaction).consume('password', secret);
        if (used === undefined) return false;
        const { accountId } = used;
        const actor = { ...request, id: accountId };
        const change = { accountId, passwordHash, by: 'link' } as const;
        const replaced = await replacePassword(transaction, endSessions, actor, change);
        if (replaced === undefined) return false;
        await confirmAddress(transaction, used);
        await notify(transaction, replaced.email);
        return true;
      });
    },
    async change({ id: accountId, passwordHash: formerHash, sessionId }, password, actor) {
      const passwordHash = await hashing.run('known', () => hashPassword(password));
      return dataSource.transaction(async (transaction) => {
        const replaced = await replacePassword(transaction, endSessions, actor, {
          accountId,
          passwordHash,
          formerHash,
          exceptSession: sessionId,
          by: 'owner',
        });
        if (replaced === undefined) return false;
        await notify(transaction, replaced.email);
        return true;
      });
    },
  };
}

/** The mail with a link. Its secret is made when it is sent. */
function queueLink(mail: Mail, manager: EntityManager, to: string): Promise<void> {
  return mail.queue(manager, {
    kind: 'reset-password',
    to,
    data: undefined,
    lifetimeSeconds: LINK_SECONDS.password,
  });
}

/** The mail that says that the password was changed. */
function queueNotice(mail: Mail, manager: EntityManager, to: string, link: string): Promise<void> {
  return mail.queue(manager, {
    kind: 'password-changed',
    to,
    data: { link },
    lifetimeSeconds: NOTICE_SECONDS,
  });
}

/** The owner of the link receives mail at the address, if it is still that of the account. */
async function confirmAddress(
  manager: EntityManager,
  { accountId, email }: LinkedAccount,
): Promise<void> {
  await manager.query(
    `UPDATE accounts SET email_verified_at = gatehouse_now()
     WHERE id = $1 AND email = $2 AND email_verified_at IS NULL`,
    [accountId, email],
  );
}

/** Hashed, so that the counters do not list email addresses. */
function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
