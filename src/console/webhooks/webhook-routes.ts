import { Problem } from '../../http/errors/problem.js';
import { parseWith } from '../../http/validation.js';
import { redelivery, webhookChange, type Webhook } from '../../webhooks/index.js';
import { handleOf } from '../keys/key-form.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import { webhookRoute, type WebhookPageDependencies } from './dependencies.js';
import { hostOf, isRefusal, secretAddress } from './new-pages.js';
import { DISABLE, ENABLE, REDELIVER, REMOVE, ROTATE, TEST, WEBHOOK, WEBHOOKS } from './paths.js';
import { faultsOf, fieldsOf, readWebhookForm, versionOf } from './webhook-form.js';
import { overlapOf, showWebhook } from './webhook-page.js';

type Handler = (
  ctx: SettingsContext,
  at: OrganizationContext,
  webhook: Webhook,
) => Promise<void> | void;

const CHANGED_MEANWHILE = {
  tone: 'warning',
  text: 'Somebody else has changed this webhook meanwhile. Your values are in the form below: look at what changed, then save again.',
} as const;

/** The page of a webhook, and what is done with it. */
export function createWebhookRoutes(dependencies: WebhookPageDependencies): SettingsRoute[] {
  const { desk } = dependencies;
  const route = (method: 'GET' | 'POST', path: string, handle: Handler) =>
    webhookRoute(method, path, async (ctx, at) =>
      handle(ctx, at, await desk.find(at, ctx.params['id'] ?? '')),
    );
  const change = createChange(dependencies);
  return [
    route('GET', WEBHOOK, (ctx, _at, webhook) => showWebhook(dependencies, ctx, webhook)),
    {
      ...route('POST', WEBHOOK, change.save),
      restore: async (ctx) => {
        const { state, params } = ctx;
        await change.showAgain(ctx, await desk.find(state.organization, params['id'] ?? ''));
      },
    },
    route('POST', ROTATE, createRotation(dependencies)),
    route('POST', TEST, createSending(dependencies).test),
    route('POST', REDELIVER, createSending(dependencies).redeliver),
    ...createEnding(dependencies, route),
  ];
}

function createChange(dependencies: WebhookPageDependencies) {
  const { desk } = dependencies;

  /** Shows values again that were typed, and whether the webhook was changed by somebody else since. */
  function showAgain(ctx: SettingsContext, webhook: Webhook): Promise<void> {
    const edit = readWebhookForm(ctx.state.form);
    const isSeen = ctx.state.form.get('seen') === versionOf(webhook);
    if (isSeen) return showWebhook(dependencies, ctx, webhook, { edit });
    return showWebhook(dependencies, ctx, webhook, { edit, notice: CHANGED_MEANWHILE }, 409);
  }

  const save: Handler = async (ctx, at, webhook) => {
    if (ctx.state.form.get('seen') !== versionOf(webhook)) return showAgain(ctx, webhook);
    const edit = readWebhookForm(ctx.state.form);
    try {
      const wanted = parseWith(webhookChange, fieldsOf(edit));
      await desk.change(at, (service) => service.change(at.actor, webhook.id, wanted));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const { form, ...editErrors } = faultsOf(error, edit, desk.isFetchable);
      const notice = form === undefined ? undefined : ({ tone: 'error', text: form } as const);
      return showWebhook(dependencies, ctx, webhook, { edit, editErrors, notice }, error.status);
    }
    return seeOther(ctx, at.href(WEBHOOK.replace(':id', webhook.id), { done: 'saved' }));
  };
  return { save, showAgain };
}

function createRotation({ desk, confirmationGate }: WebhookPageDependencies): Handler {
  return async (ctx, at, { id }) => {
    const handle = handleOf(ctx.state.form);
    const overlap = overlapOf(ctx.state.form.get('overlap'));
    if (overlap === undefined) throw new Problem('bad_request', 'Choose when the old one ends.');
    if (!(await confirmationGate.pass(ctx))) return;
    await desk.issue(at, handle, (service) => service.rotate(at.actor, id, overlap));
    seeOther(ctx, secretAddress(at, id, handle, 'rotation'));
  };
}

function createSending(dependencies: WebhookPageDependencies) {
  const { desk } = dependencies;
  const page = (at: OrganizationContext, id: string, query: Readonly<Record<string, string>>) =>
    at.href(WEBHOOK.replace(':id', id), query);

  const test: Handler = async (ctx, at, webhook) => {
    try {
      await desk.change(at, (service) => service.test(at.actor, webhook.id));
    } catch (error) {
      return showRefusal(dependencies, ctx, webhook, error);
    }
    return seeOther(ctx, page(at, webhook.id, { done: 'tested' }));
  };

  /** Sends the event of a delivery again, or those since a time in UTC. */
  const redeliver: Handler = async (ctx, at, webhook) => {
    const deliveryId = ctx.state.form.get('delivery') ?? undefined;
    const since = ctx.state.form.get('since') ?? undefined;
    const wanted = redelivery.safeParse({ deliveryId, since: since && toRfc3339(since) });
    if (!wanted.success) {
      const sinceError = 'Give a day and a time in UTC.';
      return showWebhook(dependencies, ctx, webhook, { since: since ?? '', sinceError }, 422);
    }
    try {
      const { count, until } = await desk.change(at, (service) =>
        service.redeliver(at.actor, webhook.id, wanted.data),
      );
      const done = deliveryId === undefined ? `repeated-${count}` : 'repeated';
      const more = until === null ? {} : { until: until.toISOString() };
      return seeOther(ctx, page(at, webhook.id, { done, ...more }));
    } catch (error) {
      return showRefusal(dependencies, ctx, webhook, error, since);
    }
  };
  return { test, redeliver };
}

/** Shows why the service refused to send something. */
async function showRefusal(
  dependencies: WebhookPageDependencies,
  ctx: SettingsContext,
  { id }: Webhook,
  error: unknown,
  since = '',
): Promise<void> {
  const isShown = isRefusal(error) || (error instanceof Problem && error.code === 'not_found');
  if (!isShown) throw error;
  // It is another one if somebody else has disabled it, and none if they have removed it.
  const webhook = await dependencies.desk.find(ctx.state.organization, id);
  const notice = { tone: 'error', text: error.message } as const;
  await showWebhook(dependencies, ctx, webhook, { notice, since }, error.status);
}

/** The value of a field for a day and a time, as UTC. */
function toRfc3339(text: string): string {
  return /T\d{2}:\d{2}$/.test(text) ? `${text}:00Z` : `${text}Z`;
}

function createEnding(
  dependencies: WebhookPageDependencies,
  route: (method: 'GET' | 'POST', path: string, handle: Handler) => SettingsRoute,
): SettingsRoute[] {
  const { desk, csrf, showPage } = dependencies;
  const set = (enabled: boolean): Handler =>
    async function setEnabled(ctx, at, webhook) {
      const { id } = webhook;
      try {
        await desk.change(at, (service) => service.change(at.actor, id, { enabled }));
      } catch (error) {
        return showRefusal(dependencies, ctx, webhook, error);
      }
      const done = enabled ? 'enabled' : 'disabled';
      return seeOther(ctx, at.href(WEBHOOK.replace(':id', id), { done }));
    };
  return [
    route('POST', ENABLE, set(true)),
    route('POST', DISABLE, set(false)),
    route('GET', REMOVE, (ctx, at, { id, url, types }) =>
      showPage(ctx, 'confirm-end', {
        title: `Remove ${hostOf(url)}?`,
        parent: { text: hostOf(url), href: at.href(WEBHOOK.replace(':id', id)) },
        heading: 'Remove the webhook to',
        name: hostOf(url),
        text: 'Nothing is sent to it any more, and its log is deleted. This cannot be undone. Disable it instead if it is to come back.',
        facts: [
          { term: 'URL', text: url },
          { term: 'Events', text: types.join(', ') },
        ],
        button: 'Remove webhook',
        action: at.href(REMOVE.replace(':id', id)),
        csrf: csrf.token(ctx),
        back: at.href(WEBHOOK.replace(':id', id)),
      }),
    ),
    route('POST', REMOVE, async (ctx, at, { id }) => {
      await desk.change(at, (service) => service.remove(at.actor, id));
      seeOther(ctx, at.href(WEBHOOKS, { done: 'removed' }));
    }),
  ];
}
