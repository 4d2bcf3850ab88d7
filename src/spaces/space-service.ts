import type { EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../audit/audit-log.js';
import type { Environment } from '../credentials/kinds.js';
import { isId } from '../db/id.js';
import type { PageRequest } from '../http/pagination.js';
import { Problem } from '../http/problem.js';
import { createSpaceStore, MAX_SPACES } from './space-store.js';
import type { Space } from './space.entity.js';

/** Who manages spaces: the operator, or the holder of a credential. */
export interface SpaceManager {
  readonly actor: Actor;
  readonly tenantId: string;
  /** The spaces that it is confined to; `null` for all of the tenant's. */
  readonly spaces: readonly string[] | null;
  /** Spaces hold the data of both environments: `test` only reads them. */
  readonly environment: Environment;
}

/**
 * Creates and renames spaces. Every function throws a Problem: `not_found` for a space that is another
 * tenant's or beyond those that the caller is confined to, `forbidden` for changes with a test credential and
 * for creating a space while confined to some, `conflict` for a name that is taken.
 */
export interface SpaceService {
  /** Those that the caller may enter, newest first, up to one more than asked for. */
  list(by: SpaceManager, page: PageRequest): Promise<readonly Space[]>;
  find(by: SpaceManager, id: string): Promise<Space>;
  create(by: SpaceManager, name: string): Promise<Space>;
  rename(by: SpaceManager, id: string, name: string): Promise<Space>;
}

/** @param manager a transaction's: what is done commits with its audit entry */
export function createSpaceService(manager: EntityManager): SpaceService {
  const store = createSpaceStore(manager);
  const audit = createAuditLog(manager);

  async function find({ tenantId, spaces }: SpaceManager, id: string): Promise<Space> {
    const isWithin = isId('spc', id) && (spaces === null || spaces.includes(id));
    return (isWithin ? await store.find(tenantId, id) : undefined) ?? notFound();
  }

  return {
    find,
    list: ({ tenantId, spaces }, page) => store.list(tenantId, spaces, page),

    async create(by, name) {
      assertLive(by);
      const { actor, tenantId, spaces } = by;
      if (spaces !== null) {
        throw new Problem(
          'forbidden',
          'The credential is confined to some spaces: it cannot create another.',
        );
      }
      const space = await store.create(tenantId, name);
      if (space === 'taken') throw taken();
      if (space === 'full') {
        throw new Problem('conflict', `A tenant can have ${MAX_SPACES} spaces at most.`);
      }
      const details = { name };
      await audit.record(actor, { tenantId, action: 'space.create', subject: space.id, details });
      return space;
    },

    async rename(by, id, name) {
      const before = await find(by, id);
      assertLive(by);
      // The name that it has already is not a change.
      if (before.name === name) return before;
      const { tenantId, actor } = by;
      const space = (await store.rename(tenantId, id, name)) ?? notFound();
      if (space === 'taken') throw taken();
      const details = { before: before.name, after: name };
      await audit.record(actor, { tenantId, action: 'space.rename', subject: id, details });
      return space;
    },
  };
}

/** A space is shared by both environments, so that changing it exceeds a test credential. */
function assertLive({ environment }: SpaceManager): void {
  if (environment === 'live') return;
  throw new Problem('forbidden', 'Spaces are shared with live: this needs a live credential.');
}

function taken(): Problem {
  return new Problem('conflict', 'The tenant has a space of this name already, in whatever case.');
}

function notFound(): never {
  throw new Problem('not_found', 'There is no such space.');
}
