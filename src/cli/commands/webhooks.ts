import { eitherOf } from '../backend.js';
import { defineSharedCommand, type Command } from '../command.js';
import { defineSharedList } from '../listing.js';
import { DURATION, oneOf } from '../value-types.js';

const actions = eitherOf(
  () => import('../actions/webhooks.js'),
  () => import('../remote/webhooks.js'),
);

const id = { required: true, summary: 'id of the webhook (whk_…)' } as const;
const tenant = { value: 'TENANT', summary: 'only of this tenant (id or slug)' } as const;
const types = {
  value: 'TYPES',
  summary: 'types of events, with commas: api_key.create, or api_key.*, or * (*)',
} as const;

/** The secret is encrypted, and not shown again. */
function remarkOn(): string {
  return 'The signing secret is shown this once: store it now.';
}

export const WEBHOOK_COMMANDS: readonly Command[] = [
  defineSharedList({
    name: 'events list',
    summary: 'Lists events, oldest first.',
    details: 'A program that must not miss any follows the feed of the API by its cursors.',
    options: {
      tenant,
      types,
      after: { value: 'ID', summary: 'only after the event with this id (evt_…)' },
    },
    examples: ['cli events list --types "api_key.*" --all --json'],
    columns: ['time', 'type', 'subject', 'tenant', 'actor'],
    open: async (context, values) => (await actions(context)).listEvents(values),
  }),
  defineSharedCommand({
    name: 'webhooks create',
    summary: 'Has events sent to a URL and prints the signing secret this once.',
    arguments: { url: { orOption: true, summary: 'https URL of the receiver' } },
    options: { tenant, types },
    examples: ['cli webhooks create https://example.com/hooks --types "api_key.*,key.*"'],
    run: async (context, values) => (await actions(context)).createWebhook(values),
    remark: remarkOn,
  }),
  defineSharedList({
    name: 'webhooks list',
    summary: 'Lists the webhooks, newest first.',
    options: { tenant },
    examples: ['cli webhooks list --tenant acme'],
    columns: ['id', 'url', 'types', 'enabled', 'tenantId'],
    open: async (context, values) => (await actions(context)).listWebhooks(values),
  }),
  defineSharedCommand({
    name: 'webhooks show',
    summary: 'Shows a webhook.',
    arguments: { id },
    examples: ['cli webhooks show whk_…'],
    run: async (context, values) => (await actions(context)).showWebhook(values),
  }),
  defineSharedCommand({
    name: 'webhooks update',
    summary: 'Changes, disables or enables a webhook.',
    details: 'Options that are left out stay as they are. A disabled webhook misses events.',
    arguments: { id },
    options: {
      url: { value: 'URL', summary: 'new https URL' },
      types,
      enabled: {
        value: 'BOOLEAN',
        type: oneOf(['true', 'false']),
        summary: 'whether events are sent',
      },
    },
    examples: ['cli webhooks update whk_… --enabled true'],
    run: async (context, values) => (await actions(context)).updateWebhook(values),
  }),
  ...createDeliveryCommands(),
];

function createDeliveryCommands(): readonly Command[] {
  return [
    defineSharedList({
      name: 'webhooks deliveries',
      summary: 'Lists what was sent to a webhook, newest first.',
      options: { webhook: { value: 'ID', required: true, summary: id.summary } },
      examples: ['cli webhooks deliveries --webhook whk_…'],
      columns: ['id', 'createdAt', 'type', 'subject', 'state', 'attempts', 'status', 'fault'],
      open: async (context, values) => (await actions(context)).listDeliveries(values),
    }),
    defineSharedCommand({
      name: 'webhooks test',
      summary: 'Sends a test event to a webhook.',
      arguments: { id },
      examples: ['cli webhooks test whk_…'],
      run: async (context, values) => (await actions(context)).testWebhook(values),
    }),
    defineSharedCommand({
      name: 'webhooks redeliver',
      summary: 'Sends an event again, or the events since a time.',
      arguments: { id },
      options: {
        delivery: { value: 'ID', summary: 'id of the delivery (dlv_…)' },
        since: { value: 'TIME', summary: 'time such as 2026-01-31T12:00:00Z' },
      },
      examples: ['cli webhooks redeliver whk_… --since 2026-01-31T12:00:00Z'],
      run: async (context, values) => (await actions(context)).redeliverWebhook(values),
    }),
    defineSharedCommand({
      name: 'webhooks rotate',
      summary: 'Creates another signing secret. The former one signs beside it for a while.',
      arguments: { id },
      options: {
        grace: { value: 'DURATION', type: DURATION, summary: 'how long both sign, up to 7d (1d)' },
      },
      examples: ['cli webhooks rotate whk_… --grace 1h'],
      run: async (context, values) => (await actions(context)).rotateWebhook(values),
      remark: remarkOn,
    }),
    defineSharedCommand({
      name: 'webhooks remove',
      summary: 'Removes a webhook with its log.',
      arguments: { id },
      examples: ['cli webhooks remove whk_…'],
      question: ({ id: webhook }) => `Remove ${webhook}? Events are not sent to it any more.`,
      run: async (context, values) => (await actions(context)).removeWebhook(values),
    }),
  ];
}
