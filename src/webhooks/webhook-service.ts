import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import type { Keyring } from '../credentials/index.js';
import { createId } from '../db/id.js';
import { createEventFeed, packPosition } from '../events/index.js';
import { Problem } from '../http/errors/problem.js';
import type { PageRequest } from '../http/pagination.js';
import { createTenantService } from '../tenants/index.js';
import type { Outbound } from '../outbound/index.js';
import { createDeliveryStore, type Delivery, repeatSince, TEST_TYPE } from './delivery-store.js';
import { newSecret, openSecrets, sealSecrets } from './signing.js';
import type { NewWebhook, Redelivery, WebhookChange } from './webhook-schema.js';
import {
  cancelWaiting,
  createWebhookStore,
  hasWaiting,
  lockSecrets,
  type Owner,
  resume,
  setDisabled,
  setSecrets,
  type Webhook,
} from './webhook-store.js';

/** A webhook with its signing secret, which is readable this once. */
export interface IssuedWebhook {
  readonly webhook: Webhook;
  readonly secret: string;
}

interface Dependencies {
  /** Manager of a transaction: a change and its audit entry commit together. */
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly isFetchable: Outbound['isFetchable'];
  /** The tenant whose webhooks are managed; all by default. */
  readonly owner?: Owner;
}

export type WebhookService = ReturnType<typeof createWebhookService>;

/** Deliveries of a webhook that may wait when more are asked for. Events themselves are not limited. */
const MAX_WAITING = 10_000;
/** Webhooks without a tenant, and of each tenant. */
const MAX_WEBHOOKS = { installation: 100, tenant: 20 } as const;

/**
 * Manages webhooks. Every function throws a Problem: `not_found` for an unknown one, or one of another tenant.
 */
export function createWebhookService(dependencies: Dependencies) {
  const parts = createParts(dependencies);
  const { store, find } = parts;
  return {
    find,
    list: (page: PageRequest<string>, tenantId?: string) => store.list(page, tenantId),
    ...createManagement(dependencies, parts),
    ...createDeliveryActions(dependencies, parts),
  };
}

type Parts = ReturnType<typeof createParts>;

function createParts({ manager, owner }: Dependencies) {
  const store = createWebhookStore(manager, owner);
  const audit = createAuditLog(manager);
  return {
    store,
    // The rest of a URL can be a secret of the receiver.
    record: (actor: Actor, action: string, { id, tenantId, url }: Webhook, more = {}) =>
      audit.record(actor, {
        tenantId,
        action: `webhook.${action}`,
        subject: id,
        details: { origin: new URL(url).origin, ...more },
      }),
    find: async (id: string): Promise<Webhook> => {
      const webhook = await store.find(id);
      if (webhook === undefined) throw new Problem('not_found', 'There is no such webhook.');
      return webhook;
    },
  };
}

function createManagement(dependencies: Dependencies, { store, record, find }: Parts) {
  const { manager, keyring, isFetchable, owner } = dependencies;
  return {
    async add(actor: Actor, { url, types, tenantId: given }: NewWebhook): Promise<IssuedWebhook> {
      assertSendable(url, isFetchable);
      const wanted = owner ?? given;
      const tenants = createTenantService(manager);
      const tenantId = wanted === null ? null : (await tenants.find(wanted)).id;
      // The lock serializes creations too, so that the count is exact.
      await beginFeed(manager);
      const max = tenantId === null ? MAX_WEBHOOKS.installation : MAX_WEBHOOKS.tenant;
      if ((await store.count(tenantId)) >= max) {
        throw new Problem('conflict', `There can be ${max} webhooks at most.`);
      }
      const id = createId('whk');
      const secret = newSecret();
      await store.insert({ id, tenantId, url, types }, sealSecrets(keyring, id, [{ secret }]));
      const webhook = await find(id);
      await record(actor, 'create', webhook, { types });
      return { webhook, secret };
    },

    async change(actor: Actor, id: string, change: WebhookChange): Promise<Webhook> {
      const webhook = await find(id);
      const { url = webhook.url, types = webhook.types, enabled } = change;
      if (change.url !== undefined || change.types !== undefined) {
        if (url !== webhook.url) assertSendable(url, isFetchable);
        await store.update(id, { url, types });
        if (url !== webhook.url) await resume(manager, id);
        await record(actor, 'update', { ...webhook, url }, { types });
      }
      if (enabled !== undefined && enabled !== (webhook.disabledAt === null)) {
        if (enabled) await beginAgain(manager, id);
        await setDisabled(manager, id, enabled ? null : 'manual');
        const reason = enabled ? {} : { reason: 'manual' };
        await record(actor, enabled ? 'enable' : 'disable', webhook, reason);
      }
      return find(id);
    },

    /** Makes another secret. The former one signs beside it for `graceSeconds`. */
    async rotate(actor: Actor, id: string, graceSeconds: number): Promise<IssuedWebhook> {
      const webhook = await find(id);
      const [former] = openSecrets(keyring, id, await lockSecrets(manager, id));
      const secret = newSecret();
      const until = Date.now() + graceSeconds * 1000;
      const kept = former === undefined || graceSeconds === 0 ? [] : [{ ...former, until }];
      await setSecrets(manager, id, sealSecrets(keyring, id, [{ secret }, ...kept]));
      await record(actor, 'rotate', webhook, { graceSeconds });
      return { webhook, secret };
    },

    async remove(actor: Actor, id: string): Promise<void> {
      const webhook = await find(id);
      await store.delete(id);
      await record(actor, 'remove', webhook);
    },
  };
}

function createDeliveryActions({ manager }: Dependencies, { find, record }: Parts) {
  /**
   * Ends a pause too: the receiver may have been repaired. The row stays locked, so that what waits is counted exactly.
   */
  async function findEnabled(id: string): Promise<Webhook> {
    const webhook = await find(id);
    if (webhook.disabledAt !== null) {
      throw new Problem('conflict', 'The webhook is disabled. Enable it first.');
    }
    await resume(manager, id);
    if (await hasWaiting(manager, id, MAX_WAITING)) {
      const number = MAX_WAITING.toLocaleString('en');
      const text = `More than ${number} deliveries wait. Send more when they have arrived.`;
      throw new Problem('conflict', text);
    }
    return webhook;
  }

  return {
    async deliveries(id: string, page: PageRequest): Promise<readonly Delivery[]> {
      const { disabledAt } = await find(id);
      const found = await createDeliveryStore(manager, id).list(page);
      if (disabledAt === null) return found;
      // Cleanup has not come to the rest of many.
      return found.map((each) =>
        each.state === 'pending' ? { ...each, state: 'canceled' as const } : each,
      );
    },

    /** Sends an event of the type `webhook.test` to this webhook alone. */
    async test(actor: Actor, id: string): Promise<Delivery> {
      const webhook = await findEnabled(id);
      await record(actor, 'test', webhook);
      const deliveries = createDeliveryStore(manager, id);
      const added = await deliveries.find(await deliveries.addOwn(TEST_TYPE));
      if (added === undefined) throw new Error('the delivery was not added');
      return added;
    },

    /** Sends events again: that of a delivery, or those since a time. */
    async redeliver(
      actor: Actor,
      id: string,
      { deliveryId, since }: Redelivery,
    ): Promise<Repeated> {
      const webhook = await findEnabled(id);
      const deliveries = createDeliveryStore(manager, id);
      if (since !== undefined) {
        const repeated = await repeatSince(manager, webhook, since);
        const details = { since: since.toISOString(), count: repeated.count };
        await record(actor, 'redeliver', webhook, details);
        return repeated;
      }
      const seq = Number(/^dlv_(\d{1,15})$/.exec(deliveryId ?? '')?.[1] ?? -1);
      if ((await deliveries.find(seq)) === undefined) {
        throw new Problem('not_found', 'There is no such delivery.');
      }
      await deliveries.repeat(seq);
      await record(actor, 'redeliver', webhook, { deliveryId });
      return { count: 1, until: null };
    },
  };
}

/** The number of deliveries that were added, and the time from which on there are more. */
interface Repeated {
  readonly count: number;
  readonly until: Date | null;
}

function assertSendable(url: string, isFetchable: Dependencies['isFetchable']): void {
  if (isFetchable(url)) return;
  const message = 'must be an https URL of a public host, without a user or password';
  throw new Problem('validation_failed', `url ${message}.`, {
    errors: [{ field: 'url', code: 'invalid_format', message }],
  });
}

/** Locks the position, so that the feed is read from now on at the latest. */
async function beginFeed(manager: EntityManager): Promise<void> {
  const present = packPosition(await createEventFeed(manager).present());
  await manager.query('UPDATE webhook_feed SET position = coalesce(position, $1)', [present]);
}

/**
 * Begins with new events. Nothing is added to what waits meanwhile, because the position of the feed is locked.
 * @throws Problem `conflict` while deliveries of before are left
 */
async function beginAgain(manager: EntityManager, id: string): Promise<void> {
  await beginFeed(manager);
  await cancelWaiting(manager, id);
  if (await hasWaiting(manager, id, 0)) {
    const text = 'Its former deliveries are still being canceled. Enable it in a minute.';
    throw new Problem('conflict', text);
  }
}
