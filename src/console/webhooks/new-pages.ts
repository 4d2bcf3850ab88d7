import { Problem } from '../../http/errors/problem.js';
import { parseWith } from '../../http/validation.js';
import { newWebhook } from '../../webhooks/index.js';
import { handleOf, newHandle } from '../keys/key-form.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import { queryOf, webhookRoute, type WebhookPageDependencies } from './dependencies.js';
import { NEW, SECRET, WEBHOOK, WEBHOOKS } from './paths.js';
import {
  faultsOf,
  fieldsOf,
  KNOWN_TYPES,
  readWebhookForm,
  type WebhookFormErrors,
  type WebhookFormValues,
} from './webhook-form.js';

const EMPTY: WebhookFormValues = { url: '', types: '*' };

/** A form as it is shown. */
interface Filled {
  readonly handle: string;
  readonly values: WebhookFormValues;
  readonly errors?: WebhookFormErrors;
  readonly status?: number;
}

/** The form for a new webhook, and the page that shows a signing secret once. */
export function createNewWebhookRoutes(dependencies: WebhookPageDependencies): SettingsRoute[] {
  const { desk, confirmationGate, showPage } = dependencies;
  return [
    webhookRoute('GET', NEW, (ctx, at) =>
      showForm(dependencies, ctx, at, { handle: newHandle(), values: EMPTY }),
    ),
    {
      ...webhookRoute('POST', NEW, async (ctx, at) => {
        const handle = handleOf(ctx.state.form);
        const values = readWebhookForm(ctx.state.form);
        try {
          const wanted = parseWith(newWebhook, fieldsOf(values));
          if (!(await confirmationGate.pass(ctx))) return;
          const id = await desk.issue(at, handle, (service) => service.add(at.actor, wanted));
          return seeOther(ctx, secretAddress(at, id, handle));
        } catch (error) {
          if (!isRefusal(error)) throw error;
          const errors = faultsOf(error, values, desk.isFetchable);
          const { status } = error;
          return showForm(dependencies, ctx, at, { handle, values, errors, status });
        }
      }),
      restore: (ctx) => {
        const values = readWebhookForm(ctx.state.form);
        showForm(dependencies, ctx, ctx.state.organization, { handle: newHandle(), values });
      },
    },
    webhookRoute('GET', SECRET, async (ctx, at) => {
      const { id, url } = await desk.find(at, ctx.params['id'] ?? '');
      const handle = queryOf(ctx, 'handle') ?? '';
      // HEAD is answered by the same route, and shows nothing.
      const secret = ctx.method === 'HEAD' ? undefined : await desk.takeSecret(at, handle, id);
      const isNew = queryOf(ctx, 'of') !== 'rotation';
      showPage(ctx, 'webhook-secret', {
        title: secret === undefined ? 'Already shown' : 'Copy the signing secret',
        host: hostOf(url),
        secret,
        back: isNew
          ? at.href(WEBHOOKS, { done: 'made', fresh: id })
          : at.href(WEBHOOK.replace(':id', id), { done: 'rotated' }),
        list: at.href(WEBHOOKS),
        rotate: `${at.href(WEBHOOK.replace(':id', id))}#rotate`,
      });
    }),
  ];
}

function showForm(
  { csrf, showPage }: WebhookPageDependencies,
  ctx: SettingsContext,
  at: OrganizationContext,
  { handle, values, errors = {}, status = 200 }: Filled,
): void {
  const page = {
    title: 'New webhook',
    csrf: csrf.token(ctx),
    action: at.href(NEW),
    back: at.href(WEBHOOKS),
    handle,
    values,
    errors,
    knownTypes: KNOWN_TYPES,
  };
  showPage(ctx, 'new-webhook', page, { status });
}

/** A refusal that the form shows. */
export function isRefusal(error: unknown): error is Problem {
  return error instanceof Problem && ['validation_failed', 'conflict'].includes(error.code);
}

/** The page that shows a secret once. @param of whether another secret was there before */
export function secretAddress(
  at: OrganizationContext,
  id: string,
  handle: string,
  of?: 'rotation',
): string {
  return at.href(SECRET.replace(':id', id), { handle, ...(of && { of }) });
}

/** The host of a webhook's URL. An internationalized name is in its ASCII form, which cannot imitate another one. */
export function hostOf(url: string): string {
  return new URL(url).host;
}
