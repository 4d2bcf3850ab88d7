import type { EntityManager } from 'typeorm';

import type { KeyManager } from '../api-keys/authority.js';
import { credentialFilterOf, keyFilter } from '../api-keys/key-filter.js';
import { createKeyPresenter } from '../api-keys/key-presenter.js';
import { keyRotation, newKey } from '../api-keys/key-schema.js';
import { createKeyService, type KeyService } from '../api-keys/key-service.js';
import { OPERATOR } from '../audit/audit-log.js';
import {
  createCredentialStore,
  type StoredCredential,
} from '../credentials/store/credential-store.js';
import { Credential } from '../credentials/store/credential.entity.js';
import { ENVIRONMENTS } from '../credentials/kinds.js';
import { parseWith } from '../http/validation.js';
import {
  Misuse,
  parseDuration,
  Refused,
  type Arguments,
  type Command,
  type CommandContext,
} from './command.js';
import { listCommand, pageOf } from './listing.js';
import { parseOption } from './parse-option.js';
import { getTenant } from './tenant-commands.js';

export const KEY_COMMANDS: readonly Command[] = [
  {
    name: 'api-keys create',
    usage:
      '--tenant TENANT --name NAME --scopes "a b" [--env live|test] [--kind KIND] [--space SPACE]… [--bind TYPE:ID]… [--allow-ip CIDR]… [--expires-in 90d] [--rate-limit N]',
    summary: 'Creates an API key and prints it this once.',
    options: {
      tenant: { type: 'string' },
      name: { type: 'string' },
      scopes: { type: 'string' },
      env: { type: 'string' },
      kind: { type: 'string' },
      space: { type: 'string', multiple: true },
      bind: { type: 'string', multiple: true },
      'allow-ip': { type: 'string', multiple: true },
      'expires-in': { type: 'string' },
      'rate-limit': { type: 'string' },
    },
    positionals: [0, 0],
    async run(context, args) {
      const { manager, keyring } = context;
      const [name, scopes] = [args.required('name'), args.required('scopes')];
      const by = await operatorOf(manager, args.required('tenant'));
      const fields = parseWith(newKey, {
        name,
        scopes: scopes.split(/[\s,]+/).filter(Boolean),
        environment: args.option('env'),
        kind: args.option('kind'),
        spaces: args.all('space').length > 0 ? args.all('space') : null,
        bindings: args.all('bind').length > 0 ? args.all('bind').map(bindingOf) : null,
        allowedIps: args.all('allow-ip').length > 0 ? args.all('allow-ip') : null,
        expiresAt: await expiryOf(manager, args.option('expires-in')),
        rateLimitPerMinute: limitOf(args.option('rate-limit')),
      });
      const { key, secret } = await serviceOf(context).create(by, fields);
      return createKeyPresenter(keyring)(key, secret);
    },
  },
  listCommand({
    name: 'api-keys list',
    usage:
      '--tenant TENANT [--env live|test] [--kind KIND] [--status active|revoked|expired] [--search TEXT] [--unused-days N]',
    summary:
      "Lists a tenant's keys, newest first. --search finds a part of the name, the id, or the last four characters of the key.",
    options: {
      tenant: { type: 'string' },
      env: { type: 'string' },
      kind: { type: 'string' },
      status: { type: 'string' },
      search: { type: 'string' },
      'unused-days': { type: 'string' },
    },
    async open({ manager, keyring }, args) {
      const { shape } = keyFilter;
      const given = {
        environment: parseOption('env', shape.environment, args.option('env')),
        kind: parseOption('kind', shape.kind, args.option('kind')),
        status: parseOption('status', shape.status, args.option('status')),
        search: parseOption('search', shape.search, args.option('search')),
        unusedDays: parseOption('unused-days', shape.unusedDays, args.option('unused-days')),
      };
      const by = await operatorOf(manager, args.required('tenant'));
      const filter = credentialFilterOf(given, { by, environments: ENVIRONMENTS, spaces: null });
      const store = createCredentialStore(manager);
      const present = createKeyPresenter(keyring);
      return {
        async read(page: { limit: number; after: number | undefined }) {
          const { found, resumeAfter } = await store.list(by.tenantId, filter, page);
          return pageOf(found, page.limit, ({ issueSeq }) => Number(issueSeq), resumeAfter);
        },
        present: (key: StoredCredential) => present(key),
      };
    },
  }),
  {
    name: 'api-keys show',
    usage: '<key id> [--tenant TENANT]',
    summary: 'Shows a key, without its secret.',
    options: { tenant: { type: 'string' } },
    positionals: [1, 1],
    async run(context, args) {
      const { manager, keyring } = context;
      const { by, id } = await keyOf(manager, args);
      const key = await serviceOf(context).find(by, id);
      return createKeyPresenter(keyring)(key);
    },
  },
  {
    name: 'api-keys rotate',
    usage: '<key id> [--tenant TENANT] [--grace 24h]',
    summary: 'Makes a new key like the old one, which ends at once or after the grace time.',
    options: { tenant: { type: 'string' }, grace: { type: 'string' } },
    positionals: [1, 1],
    question: (args) =>
      `Rotate ${args.positionals[0]}? The old key ends ${args.option('grace') ? `in ${args.option('grace')}` : 'at once'}.`,
    async run(context, args) {
      const { manager, keyring } = context;
      const { graceSeconds } = keyRotation.shape;
      const named = args.option('grace');
      const seconds = named === undefined ? 0 : parseDuration('grace', named);
      const grace = parseOption('grace', graceSeconds, seconds);
      const { by, id } = await keyOf(manager, args);
      const service = serviceOf(context);
      const { key, secret } = await service.rotate(by, id, grace);
      return createKeyPresenter(keyring)(key, secret);
    },
  },
  {
    name: 'api-keys revoke',
    usage: '<key id> [--tenant TENANT] [--reason TEXT]',
    summary: 'Ends a key permanently, from the next request on.',
    options: { tenant: { type: 'string' }, reason: { type: 'string' } },
    positionals: [1, 1],
    schema: 'any',
    question: ({ positionals }) =>
      `Revoke ${positionals[0]}? It never works again. Type its name to confirm:`,
    isTyped: true,
    async run(context, args) {
      const { manager, keyring, typed } = context;
      const { by, id } = await keyOf(manager, args);
      const service = serviceOf(context);
      await service.revoke(by, id, args.option('reason') ?? null, typed);
      return createKeyPresenter(keyring)(await service.find(by, id));
    },
  },
];

function serviceOf({ manager, keyring, format, config }: CommandContext): KeyService {
  const defaultRateLimit = config.RATE_LIMIT_KEY_PER_MINUTE;
  return createKeyService({ manager, keyring, format, defaultRateLimit });
}

async function operatorOf(manager: EntityManager, tenant: string): Promise<KeyManager> {
  return { actor: OPERATOR, tenantId: (await getTenant(manager, tenant)).id };
}

/** The key that is meant. Its id is enough; a tenant, if given, must be the key's. */
async function keyOf(
  manager: EntityManager,
  args: Arguments,
): Promise<{ by: KeyManager; id: string }> {
  const id = args.positionals[0] ?? '';
  const tenant = args.option('tenant');
  if (tenant !== undefined) return { by: await operatorOf(manager, tenant), id };
  const credential = await manager.findOneBy(Credential, { id });
  if (credential === null) throw new Refused('There is no such key.');
  return { by: { actor: OPERATOR, tenantId: credential.tenantId }, id };
}

async function expiryOf(
  manager: EntityManager,
  duration: string | undefined,
): Promise<string | null> {
  if (duration === undefined) return null;
  const seconds = parseDuration('expires-in', duration);
  const now = await createCredentialStore(manager).now();
  return new Date(now.getTime() + seconds * 1000).toISOString();
}

function bindingOf(text: string): { type: string; id: string } {
  const [, type = '', id = ''] = /^([^:]+):(.+)$/.exec(text) ?? [];
  if (id === '') throw new Misuse('--bind must be a type and an id, such as contacts:42.');
  return { type, id };
}

function limitOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,7}$/.test(text))
    throw new Misuse('--rate-limit must be a number of requests a minute.');
  return Number(text);
}
