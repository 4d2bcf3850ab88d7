import { createCredentialStore } from '../../credentials/index.js';
import { ENVIRONMENTS, TENANT_KINDS } from '../../credentials/kinds.js';
import type { DataSource } from 'typeorm';
import type { ChoosableKey } from './tester-view.js';

/** The newest keys, which the field suggests. */
const MAX_SUGGESTED = 100;
/** Keys to choose from when a text names several. */
const MAX_MATCHES = 25;
/** Each round examines a bounded number of keys (`MAX_EXAMINED`). Older keys are found by their id. */
const MAX_ROUNDS = 10;
const MAX_TEXT = 100;

/** The form of a key's id. It is looked up as it is, so that a key is found however many there are. */
const KEY_ID = /^key_[0-9A-Z]{26}$/;

/** The key that a text names, or the keys among which it does not decide. */
export type NamedKeys =
  | { readonly keyId: string }
  | { readonly matches: readonly ChoosableKey[]; readonly isAll: boolean };

/** Suggestions for the field that names a key. */
export async function suggestKeys(
  dataSource: DataSource,
  tenantId: string,
): Promise<readonly ChoosableKey[]> {
  const { found } = await searchPage(dataSource, tenantId, { limit: MAX_SUGGESTED });
  return found.slice(0, MAX_SUGGESTED);
}

/**
 * Finds active keys by a part of the name, or the last four characters. An id is returned without a look.
 * @returns `isAll` is false if there may be more
 */
export async function findNamedKeys(
  dataSource: DataSource,
  tenantId: string,
  text: string,
): Promise<NamedKeys> {
  if (KEY_ID.test(text)) return { keyId: text };
  // PostgreSQL refuses NUL, so no name contains it.
  if (text.includes('\0')) return { matches: [], isAll: true };
  const search = text.slice(0, MAX_TEXT);
  const matches: ChoosableKey[] = [];
  let after: number | undefined;
  for (let round = 0; round < MAX_ROUNDS && matches.length <= MAX_MATCHES; round += 1) {
    const page = await searchPage(dataSource, tenantId, { limit: MAX_MATCHES, search, after });
    matches.push(...page.found);
    after = page.resumeAfter;
    if (after === undefined) break;
  }
  const isAll = after === undefined && matches.length <= MAX_MATCHES;
  const [only] = matches;
  if (isAll && matches.length === 1 && only !== undefined) return { keyId: only.id };
  return { matches: matches.slice(0, MAX_MATCHES), isAll };
}

async function searchPage(
  dataSource: DataSource,
  tenantId: string,
  {
    limit,
    search,
    after,
  }: { readonly limit: number; readonly search?: string; readonly after?: number | undefined },
) {
  const { found, resumeAfter } = await createCredentialStore(dataSource.manager).list(
    tenantId,
    { kinds: TENANT_KINDS, environments: ENVIRONMENTS, status: 'active', search },
    { limit, after },
  );
  const shown = found.map(({ id, name, maskedKey }) => ({ id, text: `${name} (${maskedKey})` }));
  return { found: shown, resumeAfter };
}
