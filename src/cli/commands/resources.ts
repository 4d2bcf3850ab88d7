import { eitherOf } from '../backend.js';
import { defineSharedCommand, type Command } from '../command.js';
import { defineSharedList } from '../listing.js';
import { DURATION, oneOf } from '../value-types.js';

const actions = eitherOf(
  () => import('../actions/resources.js'),
  () => import('../remote/resources.js'),
);

const id = { required: true, summary: 'id (rsv_…) or identifier of the resource server' } as const;
const yesOrNo = { value: 'BOOLEAN', type: oneOf(['true', 'false']) } as const;
const scopes = {
  value: 'SCOPES',
  summary: 'scopes that it takes, separated by blanks or commas; "all" for every scope (all)',
} as const;
const acceptsKeys = {
  ...yesOrNo,
  summary: 'whether it accepts keys beside tokens (true)',
} as const;
const dynamicClients = {
  ...yesOrNo,
  summary: 'whether clients that are not verified can get tokens for it (true)',
} as const;

/** The credential of a resource server is not stored. */
function remarkOn(): string {
  return 'The credential is shown this once: store it now.';
}

export const RESOURCE_COMMANDS: readonly Command[] = [
  defineSharedCommand({
    name: 'resources add',
    summary: 'Registers an API as a resource server and prints its credential this once.',
    arguments: {
      identifier: { orOption: true, summary: 'absolute URI: the audience of its tokens' },
    },
    options: {
      name: { value: 'NAME', required: true, summary: 'name, as the consent page shows it' },
      scopes,
      'accepts-keys': acceptsKeys,
      'dynamic-clients': dynamicClients,
    },
    examples: [
      'cli resources add https://files.example.com/api --name "Files API" --scopes "documents:read documents:write"',
      'cli resources add https://mcp.example.com/mcp --name "MCP server" --accepts-keys false',
    ],
    run: async (context, values) => (await actions(context)).addResource(values),
    remark: remarkOn,
  }),
  defineSharedList({
    name: 'resources list',
    summary: 'Lists the resource servers, by identifier.',
    examples: ['cli resources list'],
    open: async (context) => (await actions(context)).listResources(),
  }),
  defineSharedCommand({
    name: 'resources show',
    summary: 'Shows a resource server with its credentials, without their secrets.',
    arguments: { id },
    examples: ['cli resources show rsv_…', 'cli resources show https://files.example.com/api'],
    run: async (context, values) => (await actions(context)).showResource(values),
  }),
  defineSharedCommand({
    name: 'resources update',
    summary: 'Changes a resource server, from the next request on.',
    details:
      'Options that are left out stay as they are. The identifier never changes: add another one.',
    arguments: { id },
    options: {
      name: { value: 'NAME', summary: 'new name' },
      scopes,
      'accepts-keys': acceptsKeys,
      'dynamic-clients': dynamicClients,
    },
    examples: ['cli resources update rsv_… --scopes documents:read --dynamic-clients false'],
    run: async (context, values) => (await actions(context)).updateResource(values),
  }),
  defineSharedCommand({
    name: 'resources rotate',
    summary: 'Creates another credential. The former ends at once or after the grace time.',
    arguments: { id },
    options: {
      grace: {
        value: 'DURATION',
        type: DURATION,
        summary: 'how long the former credential still works, up to 30d (not at all)',
      },
    },
    examples: ['cli resources rotate rsv_… --grace 24h'],
    question: ({ id: server, grace }) =>
      `Rotate the credential of ${server}? The former one ends ${grace === undefined ? 'at once' : `in ${grace} seconds`}.`,
    run: async (context, values) => (await actions(context)).rotateResource(values),
    remark: remarkOn,
  }),
  defineSharedCommand({
    name: 'resources remove',
    summary: 'Removes a resource server. Its credential and all tokens for it end at once.',
    arguments: { id },
    options: { reason: { value: 'TEXT', summary: 'reason for the audit log' } },
    examples: ['cli resources remove rsv_… --reason "shut down"'],
    question: ({ id: server }) =>
      `Remove ${server}? Its credential and all tokens for it never work again.`,
    run: async (context, values) => (await actions(context)).removeResource(values),
  }),
];
