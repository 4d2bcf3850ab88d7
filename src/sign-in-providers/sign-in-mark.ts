import { createHash } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { createAccountStore, markOf } from '../accounts/index.js';
import { createIdentityLinks, type IdentityId } from './identity-links.js';

/** A mark of a sign-in at a provider. It changes with the account's password, and ends with the link of the identity. */
export function markOfSignIn(passwordHash: string, { issuer, subject }: IdentityId): string {
  return `${markOf(passwordHash)}.${fingerprint({ issuer, subject })}`;
}

/**
 * Whether an account still has what it signed in with. Waits for a concurrent change.
 * @param mark of the password, or of a sign-in at a provider
 */
export async function isSignInCurrent(
  manager: EntityManager,
  accountId: string,
  mark: string,
): Promise<boolean> {
  const [passwordMark = '', identityMark] = mark.split('.');
  if (!(await createAccountStore(manager).hasPassword(accountId, passwordMark))) return false;
  if (identityMark === undefined) return true;
  // A statement of its own: it must see what was committed while the former one waited.
  const links = await createIdentityLinks(manager).listOf(accountId);
  return links.some((link) => fingerprint(link) === identityMark);
}

function fingerprint({ issuer, subject }: IdentityId): string {
  return createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('hex');
}
