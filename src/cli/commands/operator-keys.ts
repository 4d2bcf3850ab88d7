import { defineCommand, type Command } from '../command.js';
import { defineList } from '../listing.js';
import { DURATION } from '../value-types.js';

const actions = () => import('../actions/operator-keys.js');

const id = { required: true, summary: 'id of the operator key (opk_…)' } as const;

function remarkOn(): string {
  return 'The key is shown this once: store it now.';
}

export const OPERATOR_KEY_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'operator-keys create',
    summary: "Creates a key of the operator's API and prints it this once.",
    details:
      'Scopes: tenants:manage accounts:manage clients:manage credentials:manage resources:manage events:read.',
    options: {
      name: { value: 'NAME', summary: 'name of the key', default: 'Operator key' },
      scopes: {
        value: 'SCOPES',
        required: true,
        summary: 'scopes, separated by blanks or commas',
      },
      'allow-ip': {
        value: 'CIDR',
        formerly: 'allow',
        repeatable: true,
        summary: 'address or network that it may be used from (any)',
      },
      'expires-in': {
        value: 'DURATION',
        formerly: 'expires',
        type: DURATION,
        summary: 'lifetime, such as 90d (none)',
      },
    },
    examples: [
      'cli operator-keys create --scopes "tenants:manage accounts:manage"',
      'cli operator-keys create --name Billing --scopes tenants:manage --allow-ip 10.0.0.0/8 --expires-in 90d',
    ],
    run: async (context, values) => (await actions()).createOperatorKey(context, values),
    remark: remarkOn,
  }),
  defineList({
    name: 'operator-keys list',
    summary: 'Lists the operator keys, newest first.',
    examples: ['cli operator-keys list'],
    open: async (context) => (await actions()).listOperatorKeys(context),
  }),
  defineCommand({
    name: 'operator-keys rotate',
    summary: 'Creates a key like the old one, which ends at once or after the grace time.',
    arguments: { id },
    options: {
      grace: {
        value: 'DURATION',
        type: DURATION,
        summary: 'how long the old key still works, up to 30d (not at all)',
      },
    },
    examples: ['cli operator-keys rotate opk_… --grace 24h'],
    question: ({ id: key, grace }) =>
      `Rotate ${key}? The old key ends ${grace === undefined ? 'at once' : `in ${grace} seconds`}.`,
    run: async (context, values) => (await actions()).rotateOperatorKey(context, values),
    remark: remarkOn,
  }),
  defineCommand({
    name: 'operator-keys revoke',
    summary: 'Ends an operator key, from the next request on. It never works again.',
    arguments: { id },
    options: { reason: { value: 'TEXT', summary: 'reason for the audit log' } },
    examples: ['cli operator-keys revoke opk_… --reason "left the company"'],
    question: ({ id: key }) => `Revoke ${key}? It never works again.`,
    run: async (context, values) => (await actions()).revokeOperatorKey(context, values),
  }),
];
