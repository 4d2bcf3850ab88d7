import type { EntityManager } from 'typeorm';

import type { Outbound } from '../../outbound/index.js';
import type { Client } from '../client.entity.js';
import { PATIENCE_MS, within } from '../patience.js';
import { createLogoPictures } from './logo-picture.js';
import { LOGO_PATH } from './logo-routes.js';
import { createLogoStore, type LogoStore } from './logo-store.js';

const MAX_BYTES = 256 * 1024;
const MEDIA_TYPES = ['image/png', 'image/jpeg', 'image/webp'];
/** A logo that could not be fetched is left alone for this time. */
const RETRY_SECONDS = 3600;

/**
 * Logos of clients (`logo_uri`). Each is fetched once, encoded again, and served from here: the host of a logo does not
 * learn about users, and cannot change what was shown.
 */
export interface ClientLogos {
  /**
   * The path of a client's logo. Fetches a logo that was not fetched yet, and waits a moment for it. For pages of
   * signed-in users only. Never fails because of the logo.
   *
   * @returns `undefined` without a logo
   */
  readonly pathOf: (client: Pick<Client, 'id' | 'metadata'>) => Promise<string | undefined>;
  /** The paths of logos that were fetched before, by client. */
  readonly pathsOf: (clientIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

export function createClientLogos({
  manager,
  outbound,
}: {
  readonly manager: EntityManager;
  readonly outbound: Outbound;
}): ClientLogos {
  const store = createLogoStore(manager);
  const fetchLogo = createFetch(store, outbound);

  async function pathsOf(clientIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const addresses = await store.addressesOf([...new Set(clientIds)]);
    return new Map([...addresses].map(([id, address]) => [id, `${LOGO_PATH}/${address}`]));
  }

  async function pathOfFetched(id: string, logoUri: string): Promise<string | undefined> {
    const known = (await pathsOf([id])).get(id);
    if (known !== undefined) return known;
    const address = await store.claim(id, logoUri, RETRY_SECONDS);
    if (address === undefined) return undefined;
    const isStored = await within(PATIENCE_MS, fetchLogo(address, logoUri));
    return isStored === true ? `${LOGO_PATH}/${address}` : undefined;
  }

  return {
    pathsOf,
    async pathOf({ id, metadata }) {
      if (metadata.logo_uri === undefined) return undefined;
      try {
        return await pathOfFetched(id, metadata.logo_uri);
      } catch {
        return undefined;
      }
    },
  };
}

/** @returns fetches a claimed logo, and answers whether there is a picture of it */
function createFetch(store: LogoStore, outbound: Outbound) {
  const pictures = createLogoPictures();
  return async (address: string, url: string): Promise<boolean> => {
    const answer = await outbound.fetch({
      url,
      purpose: 'logo',
      mediaTypes: MEDIA_TYPES,
      maxBytes: MAX_BYTES,
    });
    if (answer.outcome === 'failed') return false;
    const picture = await pictures.reencode(answer.body);
    if (picture === undefined) return false;
    await store.store(address, picture);
    return true;
  };
}
