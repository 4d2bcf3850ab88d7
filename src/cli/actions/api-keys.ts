import type { EntityManager } from 'typeorm';

import {
  createKeyPresenter,
  createKeyService,
  credentialFilterOf,
  keyChange,
  keyFilter,
  type KeyManager,
  keyRotation,
  type KeyService,
  newKey,
} from '../../api-keys/index.js';
import { OPERATOR } from '../../audit/index.js';
import {
  createCredentialStore,
  findTenantOfKey,
  type ListedCredential,
} from '../../credentials/index.js';
import { ENVIRONMENTS } from '../../credentials/kinds.js';
import { parseWith } from '../../http/validation.js';
import { filterOf, type FilterValues } from '../annotations.js';
import type { CommandContext } from '../command.js';
import { Problem } from '../../http/errors/problem.js';
import { givenKey, givenKeyChange, type KeyChanges, type KeyMembers } from '../given.js';
import { pageOf, type OpenList } from '../listing.js';
import { parseOption } from '../parse-option.js';
import { getTenant } from './tenants.js';

/** A key that exists. Its id is enough; a tenant, if given, must be the key's. */
interface KeyValues {
  readonly id: string;
  readonly tenant: string | undefined;
}

export async function createKey(
  context: CommandContext,
  values: KeyMembers & { readonly tenant: string },
) {
  const { manager, keyring } = context;
  const by = await operatorOf(manager, values.tenant);
  const fields = parseWith(newKey, await givenKey(values, (seconds) => timeIn(manager, seconds)));
  const { key, secret } = await serviceOf(context).create(by, fields);
  return createKeyPresenter(keyring)(key, secret);
}

interface KeyFilterValues extends FilterValues {
  readonly env: string | undefined;
  readonly kind: string | undefined;
  readonly status: string | undefined;
  readonly search: string | undefined;
  readonly unusedDays: string | undefined;
}

/** @throws Misuse that names the option */
export function keyFilterOf(values: KeyFilterValues) {
  const { shape } = keyFilter;
  return {
    environment: parseOption('env', shape.environment, values.env),
    kind: parseOption('kind', shape.kind, values.kind),
    status: parseOption('status', shape.status, values.status),
    search: parseOption('search', shape.search, values.search),
    unusedDays: parseOption('unused-days', shape.unusedDays, values.unusedDays),
    ...filterOf(values),
  };
}

export async function listKeys(
  { manager, keyring }: CommandContext,
  values: KeyFilterValues & { readonly tenant: string },
): Promise<OpenList<ListedCredential, number>> {
  const given = keyFilterOf(values);
  const by = await operatorOf(manager, values.tenant);
  const filter = credentialFilterOf(given, { by, environments: ENVIRONMENTS, spaces: null });
  const store = createCredentialStore(manager);
  const present = createKeyPresenter(keyring);
  return {
    async read(page) {
      const { found, resumeAfter } = await store.list(by.tenantId, filter, page);
      return pageOf(found, page.limit, ({ issueSeq }) => Number(issueSeq), resumeAfter);
    },
    present: (key) => present(key),
  };
}

export async function showKey(context: CommandContext, values: KeyValues) {
  const { by, id } = await keyOf(context.manager, values);
  return createKeyPresenter(context.keyring)(await serviceOf(context).find(by, id));
}

export async function updateKey(context: CommandContext, values: KeyValues & KeyChanges) {
  const { manager, keyring } = context;
  const given = await givenKeyChange(values, (seconds) => timeIn(manager, seconds));
  const change = parseWith(keyChange, given);
  const { by, id } = await keyOf(manager, values);
  return createKeyPresenter(keyring)(await serviceOf(context).change(by, id, change));
}

export async function rotateKey(
  context: CommandContext,
  values: KeyValues & { readonly grace: number | undefined },
) {
  const { manager, keyring } = context;
  const grace = parseOption('grace', keyRotation.shape.graceSeconds, values.grace ?? 0);
  const { by, id } = await keyOf(manager, values);
  const { key, secret } = await serviceOf(context).rotate(by, id, grace);
  return createKeyPresenter(keyring)(key, secret);
}

export async function revokeKey(
  context: CommandContext,
  values: KeyValues & { readonly reason: string | undefined },
) {
  const { manager, keyring, typed } = context;
  const { by, id } = await keyOf(manager, values);
  const service = serviceOf(context);
  await service.revoke(by, id, values.reason ?? null, typed);
  return createKeyPresenter(keyring)(await service.find(by, id));
}

function serviceOf({ manager, keyring, format, config }: CommandContext): KeyService {
  const defaultRateLimit = config.RATE_LIMIT_KEY_PER_MINUTE;
  return createKeyService({ manager, keyring, format, defaultRateLimit });
}

async function operatorOf(manager: EntityManager, tenant: string): Promise<KeyManager> {
  return { actor: OPERATOR, tenantId: (await getTenant(manager, tenant)).id };
}

async function keyOf(
  manager: EntityManager,
  { id, tenant }: KeyValues,
): Promise<{ by: KeyManager; id: string }> {
  if (tenant !== undefined) return { by: await operatorOf(manager, tenant), id };
  const tenantId = await findTenantOfKey(manager, id);
  if (tenantId === undefined) throw new Problem('not_found', 'Key not found.');
  return { by: { actor: OPERATOR, tenantId }, id };
}

async function timeIn(manager: EntityManager, seconds: number): Promise<string> {
  const now = await createCredentialStore(manager).now();
  return new Date(now.getTime() + seconds * 1000).toISOString();
}
