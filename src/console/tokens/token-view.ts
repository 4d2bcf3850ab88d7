import type { Moment, ShownToken } from '../page-data.js';
import type { PersonalToken } from './personal-tokens.js';
import type { Space } from './token-form.js';

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' });
const MINUTE = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'short',
  timeZone: 'UTC',
});

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
    created: moment(createdAt, DAY),
    expires: expiresAt === null ? undefined : moment(expiresAt, DAY),
    lastUsed: lastUsedAt === null ? undefined : moment(lastUsedAt, MINUTE, ' UTC'),
    revoke: status === 'revoked' ? undefined : revoke,
  };
}

function moment(date: Date, format: Intl.DateTimeFormat, zone = ''): Moment {
  return { iso: date.toISOString(), text: format.format(date) + zone };
}
