import type { DataSource, EntityManager } from 'typeorm';

import { createCredentialStore, type Keyring } from '../../credentials/index.js';
import { isId } from '../../db/id.js';
import { Problem } from '../../http/errors/problem.js';
import { isAdministrator } from '../../scopes/roles.js';
import {
  createWebhookService,
  type IssuedWebhook,
  type Webhook,
  type WebhookService,
} from '../../webhooks/index.js';
import { createSecretHandovers, makeOnce } from '../keys/secret-handover.js';
import type { OrganizationContext } from '../organization-context.js';

/** Manages the webhooks of an organization for their pages. Each change is one transaction. */
export interface WebhookDesk {
  /** Whether a URL could be sent to. */
  readonly isFetchable: (url: string) => boolean;
  /** The service for reading. */
  serviceFor(at: OrganizationContext): WebhookService;
  /** @throws Problem `not_found` also for an id of no webhook */
  find(at: OrganizationContext, id: string): Promise<Webhook>;
  /** @throws Problem as the service does, and `forbidden` if the visitor is not an administrator any more */
  change<Result>(
    at: OrganizationContext,
    work: (service: WebhookService) => Promise<Result>,
  ): Promise<Result>;
  /**
   * Makes a signing secret, unless the same form has made one before.
   * @returns the id of its webhook; the secret waits under the handle
   * @throws Problem as `change` does
   */
  issue(
    at: OrganizationContext,
    handle: string,
    make: (service: WebhookService) => Promise<IssuedWebhook>,
  ): Promise<string>;
  /** The secret under a handle, once. */
  takeSecret(at: OrganizationContext, handle: string, id: string): Promise<string | undefined>;
}

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly isFetchable: (url: string) => boolean;
}

export function createWebhookDesk({ dataSource, keyring, isFetchable }: Dependencies): WebhookDesk {
  const handovers = createSecretHandovers(keyring);
  const serviceOf = (manager: EntityManager, { tenantId }: OrganizationContext) =>
    createWebhookService({ manager, keyring, isFetchable, owner: tenantId });
  const inTransaction = <Result>(
    at: OrganizationContext,
    work: (manager: EntityManager) => Promise<Result>,
  ) =>
    dataSource.transaction(async (manager) => {
      await assertAdministrator(manager, at);
      return work(manager);
    });
  return {
    isFetchable,
    serviceFor: (at) => serviceOf(dataSource.manager, at),
    find(at, id) {
      if (!isId('whk', id)) throw new Problem('not_found', 'There is no such webhook.');
      return serviceOf(dataSource.manager, at).find(id);
    },
    change: (at, work) => inTransaction(at, (manager) => work(serviceOf(manager, at))),
    issue: (at, handle, make) =>
      inTransaction(at, (manager) =>
        makeOnce(handovers, manager, { handle, ...at }, async () => {
          const { webhook, secret } = await make(serviceOf(manager, at));
          return { id: webhook.id, secret };
        }),
      ),
    takeSecret: (at, handle, id) =>
      handovers.take(dataSource.manager, { handle, sessionId: at.sessionId }, id),
  };
}

/** The role may have been taken away since the request arrived, and the session ended. */
async function assertAdministrator(
  manager: EntityManager,
  { tenantId, accountId, sessionId }: OrganizationContext,
): Promise<void> {
  const store = createCredentialStore(manager);
  if (!(await store.isSignedIn(accountId, sessionId))) {
    throw new Problem('unauthorized', 'You are no longer signed in.');
  }
  const role = await store.roleOf(tenantId, accountId);
  if (role === undefined || !isAdministrator(role)) {
    throw new Problem('forbidden', 'Only administrators may do this.');
  }
}
