import { createHash } from 'node:crypto';

import type { Form } from '../../http/body/form.js';
import type { Problem } from '../../http/errors/problem.js';
import type { Webhook } from '../../webhooks/index.js';
import { actionInWords, KNOWN_ACTIONS } from '../audit-log/action-words.js';

/** A form for a webhook as it was filled in. */
export interface WebhookFormValues {
  readonly url: string;
  /** A type in each line. */
  readonly types: string;
}

/** Faults by field. Those of no field stand under `form`. */
export interface WebhookFormErrors {
  readonly url?: string;
  readonly types?: string;
  readonly form?: string;
}

const MAX_TYPED = 10_000;

/** Types of events that no organization has: accounts belong to nobody's. */
const OF_NO_TENANT = /^account\./;

/** Words of types whose words in the audit log need the object behind them. */
const WORDS: Readonly<Record<string, string>> = {
  'credential.refused': 'refused a credential',
  'invitation.create': 'invited somebody',
  'invitation.delete': 'withdrew an invitation',
  'invitation.resend': 'sent an invitation again',
  'key.expiring': 'warned that a key expires',
  'key.exposed': 'found a key in public',
  'membership.update': 'changed the role of a member',
  'product.import': 'imported products',
  'subject.revoke': 'ended all access of a person, an app or a key',
};

/** Types that the form explains, with words. */
export const KNOWN_TYPES = KNOWN_ACTIONS.filter(
  (type) => !OF_NO_TENANT.test(type) && type !== 'webhook.test',
).map((type) => ({ type, words: WORDS[type] ?? actionInWords(type).replace(/:$/, '') }));

export function readWebhookForm(form: Form): WebhookFormValues {
  const text = (name: string) => (form.get(name) ?? '').slice(0, MAX_TYPED);
  return { url: text('url'), types: text('types') };
}

export function valuesOf({ url, types }: Pick<Webhook, 'url' | 'types'>): WebhookFormValues {
  return { url, types: types.join('\n') };
}

/** The fields that a form stands for, before they are checked. Types may stand in lines, or with commas or spaces. */
export function fieldsOf({ url, types }: WebhookFormValues) {
  return {
    url,
    types: [...new Set(types.split(/[\s,]+/).filter((type) => type !== ''))],
  };
}

const TYPES_FAULT =
  'Name 1 to 50 types, one in each line: such as api_key.create, all that begin alike such as api_key.*, or * for all.';
const URL_FAULT = 'Give an https URL of a public host, without a user or password in it.';

/** The faults of a form by its fields. The URL is judged too if the service has not seen it. */
export function faultsOf(
  error: Problem,
  { url }: WebhookFormValues,
  isFetchable: (url: string) => boolean,
): WebhookFormErrors {
  if (error.errors === undefined) return { form: error.message };
  const fields = error.errors.map(({ field }) => field.split(/[.[]/, 1)[0]);
  return {
    ...((fields.includes('url') || !isFetchable(url.trim())) && { url: URL_FAULT }),
    ...(fields.includes('types') && { types: TYPES_FAULT }),
  };
}

/** A digest of the changeable members of a webhook, by which a form knows whether somebody else has changed them. */
export function versionOf({ url, types }: Pick<Webhook, 'url' | 'types'>): string {
  const text = JSON.stringify([url, types]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
