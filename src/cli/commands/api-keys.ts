import { eitherOf } from '../backend.js';
import {
  CREDENTIAL_STATUSES,
  ENVIRONMENTS,
  factsOf,
  KEY_KINDS,
  TENANT_KINDS,
  type Kind,
} from '../../credentials/kinds.js';
import { defineSharedCommand, type Command } from '../command.js';
import { defineSharedList } from '../listing.js';
import { DURATION, oneOf, orWord, wholeNumber } from '../value-types.js';
import { ANNOTATIONS, BY_ANNOTATIONS } from './annotation-options.js';
import { IMPORT_COMMAND } from './api-keys-import.js';

const actions = eitherOf(
  () => import('../actions/api-keys.js'),
  () => import('../remote/api-keys.js'),
);

const MAX_REQUESTS = 9_999_999;
const requests = wholeNumber(0, MAX_REQUESTS, 'a number of requests a minute');

const id = { required: true, summary: 'id of the key (key_…)' } as const;
const tenant = { value: 'TENANT', required: true, summary: 'id or slug of the tenant' } as const;
const ofTenant = {
  value: 'TENANT',
  summary: 'id or slug of the tenant, which has to be that of the key',
} as const;
const env = { value: 'ENV', type: oneOf(ENVIRONMENTS) } as const;

/** Readable kinds are shown whenever they are looked at; the others are not stored. */
function remarkOn(result: unknown): string | undefined {
  const { key, kind } = result as { readonly key?: string; readonly kind: Kind };
  if (key === undefined || factsOf(kind).isReadable) return undefined;
  return 'The key is shown this once: store it now.';
}

export const KEY_COMMANDS: readonly Command[] = [
  defineSharedCommand({
    name: 'api-keys create',
    summary: 'Creates an API key and prints it this once.',
    options: {
      tenant,
      name: { value: 'NAME', required: true, summary: 'name of the key' },
      scopes: {
        value: 'SCOPES',
        required: true,
        summary: 'scopes, separated by blanks or commas: see scopes list',
      },
      env: { ...env, summary: 'environment, live by default' },
      kind: {
        value: 'KIND',
        type: oneOf(TENANT_KINDS),
        summary: 'kind of key, secret by default',
      },
      space: { value: 'SPACE', repeatable: true, summary: 'space that it may enter (all)' },
      bind: {
        value: 'TYPE:ID',
        repeatable: true,
        summary: 'resource that an agent is bound to, such as contacts:42',
      },
      'allow-ip': {
        value: 'CIDR',
        repeatable: true,
        summary: 'address or network that it may be used from (any)',
      },
      'expires-in': { value: 'DURATION', type: DURATION, summary: 'lifetime, such as 90d (none)' },
      'rate-limit': { value: 'N', type: requests, summary: 'requests a minute; 0 for unlimited' },
      ...ANNOTATIONS,
    },
    examples: [
      'cli api-keys create --tenant acme --name Sync --scopes "contacts:read leads:read" --expires-in 90d',
      'cli api-keys create --tenant acme --name Bot --kind agent --scopes contacts:read --bind contacts:42',
      'cli api-keys create --tenant acme --name Nightly --scopes leads:read --allow-ip 10.0.0.0/8 --rate-limit 600',
    ],
    run: async (context, values) => (await actions(context)).createKey(values),
    remark: remarkOn,
  }),
  defineSharedList({
    name: 'api-keys list',
    summary: "Lists a tenant's keys, newest first.",
    options: {
      tenant,
      env: { ...env, summary: 'only of this environment' },
      kind: { value: 'KIND', type: oneOf(KEY_KINDS), summary: 'only of this kind' },
      status: {
        value: 'STATUS',
        type: oneOf(CREDENTIAL_STATUSES),
        summary: 'only with this status',
      },
      search: {
        value: 'TEXT',
        summary: 'a part of the name, the id, or the last four characters of the key',
      },
      'unused-days': { value: 'N', summary: 'only those that were not used for N days' },
      ...BY_ANNOTATIONS,
    },
    examples: [
      'cli api-keys list --tenant acme',
      'cli api-keys list --tenant acme --status active --unused-days 90 --all --json',
    ],
    columns: ['id', 'name', 'kind', 'environment', 'status', 'lastUsedAt', 'expiresAt', 'scopes'],
    open: async (context, values) => (await actions(context)).listKeys(values),
  }),
  defineSharedCommand({
    name: 'api-keys show',
    summary: 'Shows a key, without its secret.',
    arguments: { id },
    options: { tenant: ofTenant },
    examples: ['cli api-keys show key_…'],
    run: async (context, values) => (await actions(context)).showKey(values),
  }),
  defineSharedCommand({
    name: 'api-keys update',
    summary: 'Changes a key: its name, addresses, expiry, rate limit, external id or metadata.',
    details:
      'Options that are left out stay as they are. Scopes and spaces never change: create another key.',
    arguments: { id },
    options: {
      tenant: ofTenant,
      name: { value: 'NAME', summary: 'new name' },
      'allow-ip': {
        value: 'CIDR',
        repeatable: true,
        summary: 'addresses and networks instead of the former ones; "any" for any address',
      },
      'expires-in': {
        value: 'DURATION',
        type: orWord(DURATION, 'never'),
        summary: 'lifetime from now on, such as 90d; "never" for none',
      },
      'rate-limit': {
        value: 'N',
        type: orWord(requests, 'default'),
        summary: 'requests a minute; 0 for unlimited, "default" for that of all keys',
      },
      ...ANNOTATIONS,
    },
    examples: [
      'cli api-keys update key_… --name "Sync of contacts" --expires-in 30d',
      'cli api-keys update key_… --allow-ip 10.0.0.0/8 --allow-ip 192.0.2.7',
      'cli api-keys update key_… --allow-ip any --rate-limit default',
    ],
    run: async (context, values) => (await actions(context)).updateKey(values),
  }),
  defineSharedCommand({
    name: 'api-keys rotate',
    summary: 'Creates a key like the old one, which ends at once or after the grace time.',
    arguments: { id },
    options: {
      tenant: ofTenant,
      grace: {
        value: 'DURATION',
        type: DURATION,
        summary: 'how long the old key still works, up to 30d (not at all)',
      },
    },
    examples: ['cli api-keys rotate key_… --grace 24h'],
    question: ({ id: key, grace }) =>
      `Rotate ${key}? The old key ends ${grace === undefined ? 'at once' : `in ${grace} seconds`}.`,
    run: async (context, values) => (await actions(context)).rotateKey(values),
    remark: remarkOn,
  }),
  defineSharedCommand({
    name: 'api-keys revoke',
    summary: 'Ends a key, from the next request on. It never works again.',
    arguments: { id },
    options: { tenant: ofTenant, reason: { value: 'TEXT', summary: 'reason for the audit log' } },
    examples: ['cli api-keys revoke key_… --reason "found in a public repository"'],
    schema: 'any',
    question: ({ id: key }) => `Revoke ${key}? It never works again. Type its name to confirm:`,
    isTyped: true,
    run: async (context, values) => (await actions(context)).revokeKey(values),
  }),
  IMPORT_COMMAND,
];
