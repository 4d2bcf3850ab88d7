import { OPERATOR } from '../../audit/index.js';
import {
  createEventFeed,
  eventTypesText,
  type FeedPosition,
  presentEvent,
  type StoredEvent,
} from '../../events/index.js';
import { parseWith } from '../../http/validation.js';
import { createUrlCheck } from '../../outbound/index.js';
import {
  createWebhookService,
  type Delivery,
  type IssuedWebhook,
  newWebhook,
  presentDelivery,
  presentWebhook,
  redelivery,
  type Webhook,
  webhookChange,
  webhookRotation,
} from '../../webhooks/index.js';
import type { CommandContext } from '../command.js';
import { pageOf, type OpenList } from '../listing.js';
import { parseOption } from '../parse-option.js';
import { getTenant } from './tenants.js';

interface Named {
  readonly id: string;
}

export interface EventValues {
  readonly tenant: string | undefined;
  readonly types: string | undefined;
  readonly after: string | undefined;
}

export interface WebhookMembers {
  readonly url: string | undefined;
  readonly types: string | undefined;
  readonly enabled: 'true' | 'false' | undefined;
}

export async function listEvents(
  { manager }: CommandContext,
  { tenant, types, after: eventId }: EventValues,
): Promise<OpenList<StoredEvent, FeedPosition>> {
  const wanted = types === undefined ? [] : parseOption('types', eventTypesText, types);
  const tenantId = tenant === undefined ? undefined : (await getTenant(manager, tenant)).id;
  const feed = createEventFeed(manager);
  const start = eventId === undefined ? undefined : await feed.positionAfter(eventId);
  return {
    async read({ limit, after = start }) {
      const { events, position, hasMore } = await feed.read(
        after,
        { types: wanted, tenantId },
        limit,
      );
      return { items: events, next: hasMore ? position : undefined };
    },
    present: presentEvent,
  };
}

export async function createWebhook(
  context: CommandContext,
  { url, types, tenant }: { url: string; types: string | undefined; tenant: string | undefined },
) {
  const fields = parseWith(newWebhook, { url, tenantId: tenant ?? null, ...givenTypes(types) });
  return presentIssued(await serviceOf(context).add(OPERATOR, fields));
}

export async function listWebhooks(
  context: CommandContext,
  { tenant }: { readonly tenant: string | undefined },
): Promise<OpenList<Webhook, string>> {
  const { manager } = context;
  const tenantId = tenant === undefined ? undefined : (await getTenant(manager, tenant)).id;
  const service = serviceOf(context);
  return {
    read: async ({ limit, after }) =>
      pageOf(await service.list({ limit, after }, tenantId), limit, ({ id }) => id),
    present: presentWebhook,
  };
}

export async function showWebhook(context: CommandContext, { id }: Named) {
  return presentWebhook(await serviceOf(context).find(id));
}

export async function updateWebhook(context: CommandContext, values: Named & WebhookMembers) {
  const change = parseWith(webhookChange, givenChange(values));
  return presentWebhook(await serviceOf(context).change(OPERATOR, values.id, change));
}

export async function listDeliveries(
  context: CommandContext,
  { webhook }: { readonly webhook: string },
): Promise<OpenList<Delivery, number>> {
  const service = serviceOf(context);
  return {
    read: async ({ limit, after }) =>
      pageOf(await service.deliveries(webhook, { limit, after }), limit, ({ seq }) => seq),
    present: presentDelivery,
  };
}

export async function testWebhook(context: CommandContext, { id }: Named) {
  return presentDelivery(await serviceOf(context).test(OPERATOR, id));
}

export async function redeliverWebhook(
  context: CommandContext,
  { id, ...values }: Named & RedeliveryValues,
) {
  const fields = parseWith(redelivery, givenRedelivery(values));
  return serviceOf(context).redeliver(OPERATOR, id, fields);
}

export async function rotateWebhook(
  context: CommandContext,
  { id, grace }: Named & { readonly grace: number | undefined },
) {
  const seconds = parseOption('grace', webhookRotation.shape.graceSeconds, grace);
  return presentIssued(await serviceOf(context).rotate(OPERATOR, id, seconds));
}

export async function removeWebhook(context: CommandContext, { id }: Named) {
  const service = serviceOf(context);
  const webhook = presentWebhook(await service.find(id));
  await service.remove(OPERATOR, id);
  return { ...webhook, removed: true };
}

export interface RedeliveryValues {
  readonly delivery: string | undefined;
  readonly since: string | undefined;
}

/** The body of a redelivery. */
export function givenRedelivery({ delivery, since }: RedeliveryValues): object {
  return {
    ...(delivery !== undefined && { deliveryId: delivery }),
    ...(since !== undefined && { since }),
  };
}

/** The body of a change, without the members that are left out. */
export function givenChange({ url, types, enabled }: WebhookMembers): object {
  return {
    ...(url !== undefined && { url }),
    ...givenTypes(types),
    ...(enabled !== undefined && { enabled: enabled === 'true' }),
  };
}

export function givenTypes(types: string | undefined): { readonly types?: readonly string[] } {
  return types === undefined ? {} : { types: types.split(',').map((each) => each.trim()) };
}

function serviceOf({ manager, keyring, config }: CommandContext) {
  const isFetchable = createUrlCheck(config.OUTBOUND_ALLOW_LOOPBACK);
  return createWebhookService({ manager, keyring, isFetchable });
}

function presentIssued({ webhook, secret }: IssuedWebhook) {
  return { ...presentWebhook(webhook), secret };
}
