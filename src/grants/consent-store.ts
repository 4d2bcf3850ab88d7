import type { EntityManager } from 'typeorm';

import { Consent } from './consent.entity.js';

export interface ConsentStore {
  /**
   * Forgets what users agreed to with a client, so that they are asked again.
   * @param tenantId whose users are meant; `null` for all
   */
  deleteOfClient(tenantId: string | null, clientId: string): Promise<void>;
}

export function createConsentStore(manager: EntityManager): ConsentStore {
  return {
    async deleteOfClient(tenantId, clientId) {
      await manager.delete(Consent, { clientId, ...(tenantId !== null && { tenantId }) });
    },
  };
}
