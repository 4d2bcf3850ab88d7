import type { Page } from 'playwright-core';

import { createWebhookService } from '../../src/webhooks/index.js';
import type { Picture } from './pictures.js';
import type { World } from './world.js';

const LIST = '/settings/webhooks?tenant=acme';
const NEW = '/settings/webhooks/new?tenant=acme';

const WEBHOOKS = {
  used: {
    url: 'https://hooks.example.com/gatehouse',
    types: ['api_key.*', 'membership.*', 'key.*'],
  },
  failed: {
    url: `https://a-very-long-name-of-a-host.example.com/${'x'.repeat(120)}?token=1`,
    types: ['*'],
  },
  gone: { url: 'https://old.example.com/in', types: ['api_key.create'] },
} as const;

/** The ids of webhooks that have pages of their own. */
export type WebhookIds = Readonly<Record<keyof typeof WEBHOOKS, string>>;

/** Deliveries in every state, oldest first. */
const DELIVERIES = `
  INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject, state, attempts, status, fault,
    duration_ms, last_attempt_at, due_at, created_at)
  SELECT $1, n, gatehouse_now(), type, subject, state, attempts, status, fault, duration,
    CASE WHEN attempts > 0 THEN gatehouse_now() - make_interval(hours => 9 - n) END,
    gatehouse_now() + make_interval(hours => 3), gatehouse_now() - make_interval(hours => 10 - n)
  FROM (VALUES
    (1, 'api_key.create', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'delivered', 1, 204, NULL, 84),
    (2, 'membership.update', 'usr_01ARZ3NDEKTSV4RRFFQ69G5FAV@tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'delivered', 3, 200, NULL, 1204),
    (3, 'api_key.rotate', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'canceled', 2, 500, 'status', 30),
    (4, 'key.expiring', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'pending', 4, NULL, 'timeout', 10004),
    (5, 'api_key.update', 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'pending', 1, 307, 'redirect', 61),
    (6, 'webhook.test', 'whk_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'pending', 0, NULL, NULL, NULL)
  ) AS d (n, type, subject, state, attempts, status, fault, duration)`;

/** Makes webhooks: a used one, one that failed for days, and one whose receiver is gone. */
export async function makeWebhooks({
  gatehouse,
  acme,
}: Pick<World, 'gatehouse' | 'acme'>): Promise<WebhookIds> {
  const { dataSource, keyring, database } = gatehouse;
  const made = new Map<string, string>();
  for (const [name, { url, types }] of Object.entries(WEBHOOKS)) {
    const { webhook } = await dataSource.transaction((manager) =>
      createWebhookService({ manager, keyring, isFetchable: () => true, owner: acme.id }).add(
        { id: 'operator', address: null, requestId: null },
        { url, types: [...types], tenantId: null },
      ),
    );
    made.set(name, webhook.id);
  }
  const idOf = (name: keyof typeof WEBHOOKS) => made.get(name) ?? '';
  const disable =
    'UPDATE webhooks SET disabled_at = gatehouse_now(), disabled_reason = $2 WHERE id = $1';
  await database.query(disable, [idOf('failed'), 'failing']);
  await database.query(disable, [idOf('gone'), 'gone']);
  await database.query(DELIVERIES, [idOf('used')]);
  return { used: idOf('used'), failed: idOf('failed'), gone: idOf('gone') };
}

const pageOf =
  (name: keyof WebhookIds, rest = '') =>
  ({ webhooks }: World) =>
    `/settings/webhooks/${webhooks[name]}${rest}?tenant=acme`;

async function createOne(page: Page): Promise<void> {
  await page.getByLabel('URL').fill('https://hooks.example.com/in');
  await page.getByRole('button', { name: 'Create webhook' }).click();
}

export const WEBHOOK_PICTURES: readonly Picture[] = [
  { name: 'webhooks', as: 'admin', path: LIST },
  { name: 'webhooks-empty', as: 'admin', path: '/settings/webhooks?tenant=fresh' },
  { name: 'webhooks-suspended', as: 'admin', path: '/settings/webhooks?tenant=closed' },
  { name: 'webhooks-refused', as: 'manager', path: LIST },
  { name: 'webhook', as: 'admin', path: pageOf('used') },
  { name: 'webhook-failed', as: 'admin', path: pageOf('failed') },
  { name: 'webhook-gone', as: 'admin', path: pageOf('gone') },
  {
    name: 'webhook-tested',
    as: 'admin',
    path: pageOf('used'),
    async prepare(page) {
      await page.getByRole('button', { name: 'Send a test event' }).click();
      await page.getByRole('status').waitFor();
    },
  },
  {
    name: 'webhook-errors',
    as: 'admin',
    path: pageOf('used'),
    async prepare(page) {
      await page.getByLabel('URL').fill('https://10.0.0.1/in');
      await page.getByLabel('Events', { exact: true }).fill('Everything!');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.locator('.fault').first().waitFor();
    },
  },
  {
    name: 'webhook-changed-meanwhile',
    as: 'admin',
    path: pageOf('used'),
    async prepare(page, { gatehouse, webhooks }) {
      await gatehouse.database.query(
        `UPDATE webhooks SET types = array_append(types, 'x.y') WHERE id = $1`,
        [webhooks.used],
      );
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Somebody else').waitFor();
    },
  },
  { name: 'webhook-remove', as: 'admin', path: pageOf('used', '/remove') },
  { name: 'webhook-new', as: 'admin', path: NEW },
  { name: 'webhook-new-suspended', as: 'admin', path: '/settings/webhooks/new?tenant=closed' },
  {
    name: 'webhook-new-types',
    as: 'admin',
    path: NEW,
    prepare: (page) => page.getByText('Types of events').click(),
  },
  {
    name: 'webhook-new-errors',
    as: 'admin',
    path: NEW,
    async prepare(page) {
      await page.getByLabel('URL').fill('https://router.local/in');
      await page.getByLabel('Events', { exact: true }).fill('');
      await page.getByRole('button', { name: 'Create webhook' }).click();
      await page.locator('.fault').first().waitFor();
    },
  },
  {
    name: 'webhook-secret',
    as: 'admin',
    path: NEW,
    async prepare(page) {
      await createOne(page);
      await page.locator('#secret').waitFor();
    },
  },
  {
    name: 'webhook-already-shown',
    as: 'admin',
    path: NEW,
    async prepare(page) {
      await createOne(page);
      await page.locator('#secret').waitFor();
      page.on('dialog', (dialog) => void dialog.accept());
      await page.reload();
    },
  },
];
