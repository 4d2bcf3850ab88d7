import type { DataSource } from 'typeorm';

import type { ApiKeys } from '../../api-keys/index.js';
import type { KeyManager } from '../../api-keys/index.js';
import type { KeyService } from '../../api-keys/index.js';
import type { MintedKey } from '../../api-keys/index.js';
import type { StoredCredential } from '../../credentials/index.js';
import { createCredentialStore } from '../../credentials/index.js';
import type { OrganizationContext } from '../organization-context.js';
import { makeOnce, type SecretHandovers } from './secret-handover.js';

/** Manages keys for their pages, as the API does for a browser session. Each change is one transaction. */
export interface KeyDesk {
  readonly now: () => Promise<Date>;
  /** @throws Problem `not_found` */
  find(at: OrganizationContext, id: string): Promise<StoredCredential>;
  /**
   * Makes a key, unless the same form has made one before.
   * @returns its id; the secret waits under the handle
   * @throws Problem as the service does
   */
  mint(
    at: OrganizationContext,
    handle: string,
    make: (service: KeyService, by: KeyManager, now: Date) => Promise<MintedKey>,
  ): Promise<string>;
  /** @throws Problem as the service does */
  change<Result>(
    at: OrganizationContext,
    work: (service: KeyService, by: KeyManager) => Promise<Result>,
  ): Promise<Result>;
  /** The secret under a handle, once. */
  takeSecret(at: OrganizationContext, handle: string, id: string): Promise<string | undefined>;
}

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keys: Pick<ApiKeys, 'serviceOf'>;
  readonly handovers: SecretHandovers;
  /** Whether it manages the visitor's own tokens, and not the keys of the tenant. */
  readonly isOwn: boolean;
}

export function createKeyDesk({ dataSource, keys, handovers, isOwn }: Dependencies): KeyDesk {
  const managerOf = (at: OrganizationContext): KeyManager => {
    const { tenantId, accountId, sessionId, actor } = at;
    return { tenantId, accountId, sessionId, isForTenant: !isOwn, actor };
  };
  const serviceOf = (manager: DataSource['manager']) => keys.serviceOf({ state: { manager } });
  return {
    now: () => createCredentialStore(dataSource.manager).now(),
    find: (at, id) => serviceOf(dataSource.manager).find(managerOf(at), id),
    mint: (at, handle, make) =>
      dataSource.transaction((manager) =>
        makeOnce(handovers, manager, { handle, ...at }, async () => {
          const now = await createCredentialStore(manager).now();
          const { key, secret } = await make(serviceOf(manager), managerOf(at), now);
          return { id: key.id, secret };
        }),
      ),
    change: (at, work) =>
      dataSource.transaction((manager) => work(serviceOf(manager), managerOf(at))),
    takeSecret: (at, handle, id) =>
      handovers.take(dataSource.manager, { handle, sessionId: at.sessionId }, id),
  };
}
