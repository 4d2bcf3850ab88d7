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
import {
  filterOf,
  type AnnotationValues,
  type FilterValues,
  givenAnnotations,
} from '../annotations.js';
import type { CommandContext } from '../command.js';
import { Misuse, Refused } from '../errors.js';
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
  values: AnnotationValues & {
    readonly tenant: string;
    readonly name: string;
    readonly scopes: string;
    readonly env: string | undefined;
    readonly kind: string | undefined;
    readonly space: readonly string[];
    readonly bind: readonly string[];
    readonly allowIp: readonly string[];
    readonly expiresIn: number | undefined;
    readonly rateLimit: number | undefined;
  },
) {
  const { manager, keyring } = context;
  const by = await operatorOf(manager, values.tenant);
  const fields = parseWith(newKey, {
    name: values.name,
    scopes: values.scopes.split(/[\s,]+/).filter(Boolean),
    environment: values.env,
    kind: values.kind,
    spaces: listOrNull(values.space),
    bindings: listOrNull(values.bind.map(bindingOf)),
    allowedIps: listOrNull(values.allowIp),
    expiresAt: values.expiresIn === undefined ? null : await timeIn(manager, values.expiresIn),
    rateLimitPerMinute: values.rateLimit ?? null,
    ...givenAnnotations(values),
  });
  const { key, secret } = await serviceOf(context).create(by, fields);
  return createKeyPresenter(keyring)(key, secret);
}

export async function listKeys(
  { manager, keyring }: CommandContext,
  values: FilterValues & {
    readonly tenant: string;
    readonly env: string | undefined;
    readonly kind: string | undefined;
    readonly status: string | undefined;
    readonly search: string | undefined;
    readonly unusedDays: string | undefined;
  },
): Promise<OpenList<ListedCredential, number>> {
  const { shape } = keyFilter;
  const given = {
    environment: parseOption('env', shape.environment, values.env),
    kind: parseOption('kind', shape.kind, values.kind),
    status: parseOption('status', shape.status, values.status),
    search: parseOption('search', shape.search, values.search),
    unusedDays: parseOption('unused-days', shape.unusedDays, values.unusedDays),
    ...filterOf(values),
  };
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

export async function updateKey(
  context: CommandContext,
  values: KeyValues &
    AnnotationValues & {
      readonly name: string | undefined;
      readonly allowIp: readonly string[];
      readonly expiresIn: number | 'never' | undefined;
      readonly rateLimit: number | 'default' | undefined;
    },
) {
  const { manager, keyring } = context;
  const { name, allowIp, expiresIn, rateLimit } = values;
  const given = {
    ...(name !== undefined && { name }),
    ...(allowIp.length > 0 && { allowedIps: isAny(allowIp) ? null : allowIp }),
    ...(expiresIn !== undefined && {
      expiresAt: expiresIn === 'never' ? null : await timeIn(manager, expiresIn),
    }),
    ...(rateLimit !== undefined && {
      rateLimitPerMinute: rateLimit === 'default' ? null : rateLimit,
    }),
    ...givenAnnotations(values),
  };
  if (Object.keys(given).length === 0) {
    throw new Misuse(
      'Give --name, --allow-ip, --expires-in, --rate-limit, --external-id or --metadata.',
    );
  }
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
  if (tenantId === undefined) throw new Refused('There is no such key.');
  return { by: { actor: OPERATOR, tenantId }, id };
}

async function timeIn(manager: EntityManager, seconds: number): Promise<string> {
  const now = await createCredentialStore(manager).now();
  return new Date(now.getTime() + seconds * 1000).toISOString();
}

function bindingOf(text: string): { type: string; id: string } {
  const [, type = '', id = ''] = /^([^:]+):(.+)$/.exec(text) ?? [];
  if (id === '') throw new Misuse('--bind must be a type and an id, such as contacts:42.');
  return { type, id };
}

/** @throws Misuse for "any" beside addresses */
function isAny(addresses: readonly string[]): boolean {
  if (!addresses.includes('any')) return false;
  if (addresses.length > 1) throw new Misuse('--allow-ip: "any" cannot be given with addresses.');
  return true;
}

function listOrNull<Item>(list: readonly Item[]): readonly Item[] | null {
  return list.length > 0 ? list : null;
}
