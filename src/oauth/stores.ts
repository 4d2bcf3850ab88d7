import type { DataSource } from 'typeorm';

import { createAccountStore } from '../accounts/index.js';
import type { Actor } from '../audit/index.js';
import { createClientSecrets, createClientStore } from '../clients/index.js';
import type { Keyring } from '../credentials/index.js';
import { createTransactions } from '../db/transactions.js';
import { type EndedGrant, endGrantIn } from '../grants/index.js';
import { ownResources } from '../http/resource-uri.js';
import { createResources } from '../resource-servers/index.js';
import { createSessionStore, findFormerAccount } from '../sessions/index.js';
import { isSignInCurrent } from '../sign-in-providers/index.js';

export type OAuthStores = ReturnType<typeof createOAuthStores>;

/** The stores that OAuth's parts share. Each works in the transaction in which it is called. */
export function createOAuthStores(dataSource: DataSource, keyring: Keyring, issuer: string) {
  const { manager, transaction, run } = createTransactions(dataSource);
  return {
    transaction,
    run,
    resources: createResources(ownResources(issuer), manager),
    sessions: () => createSessionStore(manager(), keyring),
    findFormerAccount: (secret: string) => findFormerAccount(manager(), keyring, secret),
    /** Finds a client that is not blocked. */
    findClient: async (id: string) => {
      const client = await createClientStore(manager()).find(id);
      return client?.blockedAt === null ? client : undefined;
    },
    secrets: createClientSecrets(keyring, (...move) =>
      createClientStore(manager()).moveSecretDigest(...move),
    ),
    /** Finds the members of an account that pages show: the row contains the password's hash too. */
    findAccount: async (id: string) => {
      const account = await createAccountStore(manager()).find(id);
      return account && { id, email: account.email, name: account.name };
    },
    hasPassword: (id: string, mark: string) => isSignInCurrent(manager(), id, mark),
    endGrant: (row: EndedGrant, actor: Actor, reason: string | null = null) =>
      transaction((manager) => endGrantIn(manager, row, actor, reason)),
  };
}
