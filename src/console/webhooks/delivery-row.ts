import { type Delivery, presentDelivery } from '../../webhooks/index.js';
import { ago, minute } from '../moments.js';
import type { WebhookPage } from './views.js';

/** Reasons of failed attempts in words, beside those that have a status. */
const FAULTS: Readonly<Record<string, string>> = {
  address: 'The host has no public address',
  busy: 'Too many requests were running',
  connection: 'No connection',
  gone: 'The event is not kept any more',
  name: 'The name of the host is unknown',
  timeout: 'No answer within ten seconds',
  url: 'The URL is not one that may be requested',
};

/** A delivery as the log of a webhook shows it. */
export function deliveryRow(delivery: Delivery): WebhookPage['deliveries'][number] {
  const { id, type, subject, attempts, lastAttemptAt, nextAttemptAt } = presentDelivery(delivery);
  const isTriedAgain = nextAttemptAt !== null && attempts > 0;
  return {
    id,
    at: ago(lastAttemptAt ?? delivery.createdAt),
    type,
    subject,
    badge: badgeOf(delivery),
    answer: answerOf(delivery),
    attempts: attempts > 1 ? `${attempts} attempts` : undefined,
    next: isTriedAgain ? minute(nextAttemptAt) : undefined,
  };
}

function badgeOf({ state, attempts }: Delivery): WebhookPage['deliveries'][number]['badge'] {
  if (state === 'delivered') return { text: 'Delivered', tone: 'good' };
  if (state === 'canceled') return { text: 'Canceled', tone: 'plain' };
  return attempts === 0 ? { text: 'Waiting', tone: 'plain' } : { text: 'Failing', tone: 'bad' };
}

function answerOf({ status, fault, durationMs }: Delivery): string | undefined {
  const time = durationMs === null ? '' : ` in ${durationMs.toLocaleString('en')} ms`;
  if (status !== null) return `${status}${fault === 'redirect' ? ', a redirect' : ''}${time}`;
  return fault === null ? undefined : (FAULTS[fault] ?? 'No answer');
}
