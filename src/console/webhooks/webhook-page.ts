import type { Webhook } from '../../webhooks/index.js';
import { newHandle } from '../keys/key-form.js';
import { minute } from '../moments.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext } from '../settings-gate.js';
import { deliveryRow } from './delivery-row.js';
import { pageQueryOf, pagingOf, queryOf, type WebhookPageDependencies } from './dependencies.js';
import { badgeOf } from './list-page.js';
import { hostOf } from './new-pages.js';
import { DISABLE, ENABLE, REDELIVER, REMOVE, ROTATE, TEST, WEBHOOK, WEBHOOKS } from './paths.js';
import type { WebhookActions, WebhookPage } from './views.js';
import {
  KNOWN_TYPES,
  valuesOf,
  versionOf,
  type WebhookFormErrors,
  type WebhookFormValues,
} from './webhook-form.js';

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['saved', 'The changes are saved.'],
  ['rotated', 'The signing secret is replaced.'],
  ['tested', 'A test event is on its way. Its row is the first below.'],
  ['repeated', 'The event is sent again. Its row is the first below.'],
  ['enabled', 'The webhook is enabled. It gets new events from now on.'],
  ['disabled', 'The webhook is disabled. Nothing is sent to it.'],
]);

const DISABLED = {
  manual: 'It was disabled by a person. It misses events until it is enabled.',
  failing:
    'It was disabled because it did not accept an event for three days. It misses events until it is enabled.',
  gone: 'It was disabled because it answered 410 (Gone). It misses events until it is enabled.',
};

/** Choices of how long the old secret signs beside the new one, in seconds. */
const OVERLAPS = [
  { value: '0', text: 'Now: the old one ends at once' },
  { value: '3600', text: 'In 1 hour' },
  { value: '86400', text: 'In 24 hours' },
  { value: '604800', text: 'In 7 days' },
];
const USUAL_OVERLAP = '86400';

/** The seconds for which an old secret signs, if they are one of the choices. */
export function overlapOf(text: string | null): number | undefined {
  const choice = OVERLAPS.find(({ value }) => value === text);
  return choice && Number(choice.value);
}

/** The state of a page after a form on it was refused. */
export interface WebhookPageFaults {
  readonly notice?: WebhookPage['notice'];
  readonly edit?: WebhookFormValues;
  readonly editErrors?: WebhookFormErrors;
  readonly since?: string;
  readonly sinceError?: string;
}

/** Shows the page of a webhook with its log. */
export async function showWebhook(
  dependencies: WebhookPageDependencies,
  ctx: SettingsContext,
  webhook: Webhook,
  faults: WebhookPageFaults = {},
  status = 200,
): Promise<void> {
  const { desk, pagination, csrf, showPage } = dependencies;
  const at = ctx.state.organization;
  const { id, url, types, createdAt, disabledAt, disabledReason } = webhook;
  const list = ['webhook page', at.tenantId, id];
  const request = pagination.read(pageQueryOf(ctx), list);
  const found = await desk.serviceFor(at).deliveries(id, request);
  const page = pagination.page(found, request, list, ({ seq }) => seq);
  const shown: WebhookPage & { readonly title: string } = {
    title: hostOf(url),
    csrf: csrf.token(ctx),
    header: {
      title: hostOf(url),
      crumbs: [{ text: 'Webhooks', href: at.href(WEBHOOKS) }],
      badge: badgeOf(webhook),
    },
    notice: faults.notice ?? noticeOf(ctx),
    disabled: disabledAt === null ? undefined : DISABLED[disabledReason ?? 'manual'],
    id,
    url,
    types,
    created: minute(createdAt),
    deliveries: page.items.map(deliveryRow),
    paging: pagingOf(ctx, page, ['delivery', 'deliveries'], (query) =>
      at.href(WEBHOOK.replace(':id', id), query),
    ),
    actions: at.isSuspended ? undefined : actionsFor(at, webhook, faults),
    knownTypes: KNOWN_TYPES,
  };
  showPage(ctx, 'webhook', shown, { status });
}

function noticeOf(ctx: SettingsContext): WebhookPage['notice'] {
  const done = queryOf(ctx, 'done') ?? '';
  const count = Number(/^repeated-(\d{1,6})$/.exec(done)?.[1] ?? Number.NaN);
  if (count >= 0) return { tone: 'done', text: describeRepeated(count, queryOf(ctx, 'until')) };
  const text = NOTICES.get(done);
  return text === undefined ? undefined : { tone: 'done', text };
}

function describeRepeated(count: number, until: string | undefined): string {
  const events = count === 1 ? '1 event is' : `${count.toLocaleString('en')} events are`;
  const time = new Date(until ?? Number.NaN);
  if (Number.isNaN(time.getTime())) return `${events} sent again.`;
  return `${events} sent again. There are more since ${minute(time).text}: repeat it from then on.`;
}

function actionsFor(
  at: OrganizationContext,
  webhook: Webhook,
  { edit, editErrors, since, sinceError }: WebhookPageFaults,
): WebhookActions {
  const to = (path: string) => at.href(path.replace(':id', webhook.id));
  const isEnabled = webhook.disabledAt === null;
  return {
    send: isEnabled
      ? { test: to(TEST), redeliver: to(REDELIVER), since: since ?? '', sinceError }
      : undefined,
    edit: {
      action: to(WEBHOOK),
      seen: versionOf(webhook),
      values: edit ?? valuesOf(webhook),
      errors: editErrors ?? {},
    },
    rotate: {
      action: to(ROTATE),
      handle: newHandle(),
      overlaps: OVERLAPS.map((choice) => ({
        ...choice,
        isSelected: choice.value === USUAL_OVERLAP,
      })),
    },
    enable: isEnabled ? undefined : to(ENABLE),
    disable: isEnabled ? to(DISABLE) : undefined,
    remove: to(REMOVE),
  };
}
