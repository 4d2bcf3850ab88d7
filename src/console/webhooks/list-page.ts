import type { Webhook } from '../../webhooks/index.js';
import { day } from '../moments.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import {
  pageQueryOf,
  pagingOf,
  queryOf,
  webhookRoute,
  type WebhookPageDependencies,
} from './dependencies.js';
import { NEW, WEBHOOK, WEBHOOKS } from './paths.js';
import type { WebhooksPage } from './views.js';

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['made', 'The webhook is made. Its row is marked below.'],
  ['removed', 'The webhook is removed. Nothing is sent to it any more.'],
]);

const TYPES_SHOWN = 2;

/** `/settings/webhooks`: where the organization's events are sent. */
export function createWebhookListRoutes(dependencies: WebhookPageDependencies): SettingsRoute[] {
  return [webhookRoute('GET', WEBHOOKS, (ctx, at) => showList(dependencies, ctx, at))];
}

async function showList(
  { desk, pagination, showPage }: WebhookPageDependencies,
  ctx: SettingsContext,
  at: OrganizationContext,
): Promise<void> {
  const list = ['webhooks page', at.tenantId];
  const request = pagination.readText(pageQueryOf(ctx), list);
  const found = await desk.serviceFor(at).list(request);
  const page = pagination.pageText(found, request, list, ({ id }) => id);
  const fresh = queryOf(ctx, 'fresh');
  showPage(ctx, 'webhooks', {
    title: 'Webhooks',
    notice: NOTICES.get(queryOf(ctx, 'done') ?? ''),
    create: at.isSuspended ? undefined : at.href(NEW),
    webhooks: page.items.map((webhook) => rowOf(at, webhook, fresh)),
    ...pagingOf(ctx, page, ['webhook', 'webhooks'], (query) => at.href(WEBHOOKS, query)),
  });
}

function rowOf(
  at: OrganizationContext,
  webhook: Webhook,
  fresh: string | undefined,
): WebhooksPage['webhooks'][number] {
  const { id, url, types, createdAt } = webhook;
  return {
    url,
    href: at.href(WEBHOOK.replace(':id', id)),
    isFresh: id === fresh,
    types: types.slice(0, TYPES_SHOWN),
    more: Math.max(0, types.length - TYPES_SHOWN),
    created: day(createdAt),
    badge: badgeOf(webhook),
  };
}

export function badgeOf({ disabledAt, disabledReason }: Webhook) {
  if (disabledAt === null) return { text: 'Enabled', tone: 'good' } as const;
  return { text: 'Disabled', tone: disabledReason === 'manual' ? 'plain' : 'bad' } as const;
}
