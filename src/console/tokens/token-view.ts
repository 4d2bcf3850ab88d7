import { ago, day } from '../moments.js';
import type { ShownToken } from '../page-data.js';
import type { PersonalToken } from './personal-tokens.js';
import type { Space } from './token-form.js';

/**
 * The view of a token.
 * @param revoke the page that revokes it
 */
export function showToken(
  token: PersonalToken,
  spaces: readonly Space[],
  revoke: string,
): ShownToken {
  const { name, maskedKey, status, scopes, createdAt, expiresAt, lastUsedAt } = token;
  const nameOf = (id: string) => spaces.find((space) => space.id === id)?.name ?? id;
  return {
    name,
    maskedKey,
    status,
    access: scopes.every((scope) => scope.endsWith(':read')) ? 'Read' : 'Read and write',
    scopes: `${scopes.length} ${scopes.length === 1 ? 'scope' : 'scopes'}`,
    spaces: token.spaces?.map(nameOf),
    created: day(createdAt),
    expires: expiresAt === null ? undefined : day(expiresAt),
    lastUsed: lastUsedAt === null ? undefined : ago(lastUsedAt),
    revoke: status === 'revoked' ? undefined : revoke,
  };
}
