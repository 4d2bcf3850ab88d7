import { eitherOf } from '../backend.js';
import { defineSharedCommand, type Command } from '../command.js';
import { defineSharedList } from '../listing.js';
import { oneOf } from '../value-types.js';

const actions = eitherOf(
  () => import('../actions/audit.js'),
  () => import('../remote/audit.js'),
);

const FILTERS = {
  tenant: { value: 'TENANT', summary: 'only of this tenant (id or slug)' },
  from: { value: 'TIME', summary: 'from this day or time on, such as 2026-01-31' },
  to: { value: 'TIME', summary: 'up to this day or time, which is included' },
  actor: { value: 'ID', summary: 'only by this account (id or email), key, or operator' },
  action: { value: 'ACTION', summary: 'only this action, such as api_key.create' },
  object: { value: 'ID', summary: 'only about the thing with this id' },
  result: {
    value: 'RESULT',
    type: oneOf(['success', 'refused']),
    summary: 'only with this result',
  },
  address: { value: 'ADDRESS', summary: 'only from this network address' },
  'request-id': { value: 'ID', summary: 'only of the request with this id (req_…)' },
} as const;

export const AUDIT_COMMANDS: readonly Command[] = [
  defineSharedList({
    name: 'audit list',
    summary: 'Lists entries of the audit log, newest first.',
    options: FILTERS,
    examples: [
      'cli audit list --tenant acme --from 2026-01-01 --result refused',
      'cli audit list --object key_… --all --json',
    ],
    columns: ['createdAt', 'actor', 'action', 'object', 'count', 'address'],
    open: async (context, values) => (await actions(context)).listEntries(values),
  }),
  defineSharedCommand({
    name: 'audit export',
    summary: 'Prints entries of the audit log as CSV or JSON lines, newest first.',
    options: {
      ...FILTERS,
      format: {
        value: 'FORMAT',
        type: oneOf(['csv', 'jsonl']),
        default: 'csv',
        summary: 'format of the output',
      },
    },
    examples: ['cli audit export --tenant acme --to 2026-01-31 --format jsonl > audit.jsonl'],
    commitsItself: true,
    run: async (context, values) => (await actions(context)).exportEntries(values),
  }),
];
