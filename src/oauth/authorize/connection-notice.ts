import type { EntityManager } from 'typeorm';

import type { StoredGrant } from '../../grants/index.js';
import type { Mail } from '../../mail/index.js';

interface Dependencies {
  readonly mail: Mail;
  readonly issuer: string;
}

const NOTICE_SECONDS = 86_400;

/** Queues the mail that tells a user that they have connected an app, in the transaction that creates the grant. */
export function createConnectionNotice({ mail, issuer }: Dependencies) {
  return async (
    manager: EntityManager,
    { accountId, clientName }: Pick<StoredGrant, 'accountId' | 'clientName'>,
    tenantName: string,
  ): Promise<void> => {
    const [account] = await manager.query<{ email: string }[]>(
      'SELECT email FROM accounts WHERE id = $1',
      [accountId],
    );
    if (account === undefined) return;
    await mail.queue(manager, {
      kind: 'app-connected',
      to: account.email,
      data: { link: `${issuer}/settings/apps`, app: clientName, tenant: tenantName },
      lifetimeSeconds: NOTICE_SECONDS,
    });
  };
}
