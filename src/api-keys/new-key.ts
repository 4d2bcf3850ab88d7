import type { CredentialStore } from '../credentials/credential-store.js';
import { factsOf } from '../credentials/kinds.js';
import { invalid } from '../http/validation.js';
import type { Scope } from '../scopes/catalog.js';
import { commonTo } from '../scopes/scope-set.js';
import { authorityOf, grantableScopes, managedKinds, type KeyManager } from './authority.js';
import type { Minted } from './key-mint.js';

import type { NewKey } from './key-schema.js';

const KIND_NOT_MADE_HERE = {
  field: 'kind',
  code: 'invalid_enum',
  message: 'cannot be created here: personal tokens are created at /personal-access-tokens',
};

/**
 * What a new key will be: its scopes written out, its spaces known.
 *
 * @throws Problem `validation_failed` for spaces of another tenant, or a kind that is not theirs to make
 */
export async function settleNewKey(
  store: CredentialStore,
  by: KeyManager,
  { scopes, access, ...fields }: NewKey,
): Promise<Minted> {
  if (!mayCreateKind(by, fields.kind)) throw invalid([KIND_NOT_MADE_HERE]);
  const unknown =
    fields.spaces === null ? [] : await store.unknownSpaces(by.tenantId, fields.spaces);
  if (unknown.length > 0) {
    const message = `names no space of this tenant: ${unknown.join(', ')}`;
    throw invalid([{ field: 'spaces', code: 'invalid_value', message }]);
  }
  if (scopes !== undefined) return { ...fields, scopes };
  const delegable = await delegableTo(store, by, fields.kind);
  const isAsked = (scope: Scope) => access === 'write' || scope.endsWith(':read');
  return { ...fields, scopes: delegable.filter(isAsked) };
}

/** The scopes that `access` stands for, written out now: they do not grow with the role. */
async function delegableTo(
  store: CredentialStore,
  by: KeyManager,
  kind: NewKey['kind'],
): Promise<readonly Scope[]> {
  const authority = await authorityOf(store, by);
  const grantable = authority === undefined ? [] : grantableScopes(authority);
  return commonTo(grantable, factsOf(kind).carries);
}

/** A personal token is created by the account that it speaks for. */
function mayCreateKind(by: KeyManager, kind: NewKey['kind']): boolean {
  const isPersonal = factsOf(kind).speaksAs === 'account';
  return managedKinds(by).includes(kind) && isPersonal === (by.accountId !== undefined);
}
