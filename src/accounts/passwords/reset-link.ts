import type { EntityManager } from 'typeorm';

import type { Keyring, SecretFormat } from '../../credentials/index.js';
import { createAccountStore } from '../account-store.js';
import { createAccountLinks } from '../links/account-links.js';
import { RESET_PATH } from '../paths.js';

/** @returns a function that makes the link to set a new password; `undefined` if no account has the address */
export function createResetLinks({
  manager,
  keyring,
  format,
  issuer,
}: {
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly issuer: string;
}): (email: string) => Promise<string | undefined> {
  return async (email) => {
    const account = await createAccountStore(manager).findByEmail(email);
    if (account === undefined) return undefined;
    const links = createAccountLinks(manager, keyring, format);
    const secret = await links.create('password', { accountId: account.id, email: account.email });
    return `${issuer}${RESET_PATH}?token=${secret}`;
  };
}
