import type { DataSource } from 'typeorm';

import { NO_PASSWORD } from '../accounts/index.js';
import { createIdentityLinks } from './identity-links.js';
import type { ProviderSettings } from './providers-document.js';

/** An identity that an account signs in with. */
export interface LinkedProvider {
  /** The provider's id; `undefined` if it is not in the file any more. */
  readonly id: string | undefined;
  /** The provider's name, or its issuer if it is not in the file any more. */
  readonly name: string;
  readonly issuer: string;
  /** The address that the provider told at the time. */
  readonly email: string | null;
  readonly createdAt: Date;
}

/** The ways in which an account can sign in. */
export interface SignInWays {
  /** Whether it has a password, and passwords are accepted. */
  readonly hasPassword: boolean;
  /** Oldest first. */
  readonly links: readonly LinkedProvider[];
}

/** @returns a function that reads the ways of an account by its id */
export function createWays({
  dataSource: { manager },
  settings,
}: {
  readonly dataSource: DataSource;
  readonly settings: ProviderSettings;
}): (accountId: string) => Promise<SignInWays> {
  return async (accountId) => {
    const [account] = await manager.query<{ hasPassword: boolean }[]>(
      'SELECT password_hash <> $2 AS "hasPassword" FROM accounts WHERE id = $1',
      [accountId, NO_PASSWORD],
    );
    const links = await createIdentityLinks(manager).listOf(accountId);
    return {
      hasPassword: settings.passwordSignIn && account?.hasPassword === true,
      links: links.map(({ issuer, email, createdAt }) => {
        const entry = settings.providers.find((known) => known.issuer === issuer);
        return { id: entry?.id, name: entry?.name ?? issuer, issuer, email, createdAt };
      }),
    };
  };
}
