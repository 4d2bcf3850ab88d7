import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import type { Environment } from '../credentials/kinds.js';
import { isId } from '../db/id.js';
import type { WrittenRow } from '../db/written-rows.js';
import type { PageRequest } from '../http/pagination.js';
import { changesOf, type AnnotationFilter } from '../http/annotations.js';
import { Problem } from '../http/errors/problem.js';
import type { NewSpace, SpaceChange } from './space-schema.js';
import { createSpaceStore, MAX_SPACES } from './space-store.js';
import type { Space } from './space.entity.js';

/** The manager of spaces: the operator, or the holder of a credential. */
export interface SpaceManager {
  readonly actor: Actor;
  readonly tenantId: string;
  /** The spaces that it may enter; `null` for all of the tenant's. */
  readonly spaces: readonly string[] | null;
  /** Both environments share spaces. A `test` credential only reads them. */
  readonly environment: Environment;
}

/**
 * Creates and renames spaces. Every function throws a Problem: `not_found` for a space of another tenant or one that the
 * caller may not enter; `forbidden` for a change with a test credential, and for creating a space with a credential that
 * is restricted to some; `conflict` for a name that is taken.
 */
export interface SpaceService {
  /** The spaces that the caller may enter, newest first, up to one more than requested. */
  list(by: SpaceManager, page: PageRequest, filter?: AnnotationFilter): Promise<readonly Space[]>;
  /** The same as JSON; `undefined` if only `list` can read the page. */
  listWritten(
    by: SpaceManager,
    page: PageRequest,
    filter: AnnotationFilter,
  ): Promise<readonly WrittenRow[] | undefined>;
  find(by: SpaceManager, id: string): Promise<Space>;
  create(by: SpaceManager, fields: Pick<NewSpace, 'name'> & Partial<NewSpace>): Promise<Space>;
  /** @param seen the name that the manager has seen. It is a `conflict` if the space has another one by now */
  change(by: SpaceManager, id: string, change: SpaceChange, seen?: string): Promise<Space>;
}

/** @param manager of a transaction, so that a change and its audit entry commit together */
export function createSpaceService(manager: EntityManager): SpaceService {
  const store = createSpaceStore(manager);
  const audit = createAuditLog(manager);

  async function find({ tenantId, spaces }: SpaceManager, id: string): Promise<Space> {
    const isWithin = isId('spc', id) && (spaces === null || spaces.includes(id));
    return (isWithin ? await store.find(tenantId, id) : undefined) ?? notFound();
  }

  return {
    find,
    list: ({ tenantId, spaces }, page, filter) => store.list(tenantId, spaces, page, filter),
    async listWritten({ tenantId, spaces }, page, { externalId, metadata }) {
      const isWhole = spaces === null && externalId === undefined && metadata === undefined;
      return isWhole ? store.listWritten(tenantId, page) : undefined;
    },

    async create(by, { name, ...annotations }) {
      assertLive(by);
      const { actor, tenantId, spaces } = by;
      if (spaces !== null) {
        throw new Problem(
          'forbidden',
          'The credential is restricted to some spaces and cannot create another.',
        );
      }
      const space = await store.create(tenantId, name, annotations);
      if (space === 'taken') throw taken();
      if (space === 'full') {
        throw new Problem('conflict', `A tenant can have ${MAX_SPACES} spaces at most.`);
      }
      const { externalId } = annotations;
      const details = { name, ...(externalId && { externalId }) };
      await audit.record(actor, { tenantId, action: 'space.create', subject: space.id, details });
      return space;
    },

    async change(by, id, { name, ...annotations }, seen) {
      const before = await find(by, id);
      assertLive(by);
      if (seen !== undefined && seen !== before.name) {
        const detail = `The space is called ${before.name} now. Save again to use this name.`;
        throw new Problem('conflict', detail);
      }
      const { tenantId, actor } = by;
      const changes = changesOf(before, annotations);
      // The same values are not a change.
      const isRenamed = name !== undefined && name !== before.name;
      if (!isRenamed && changes === undefined) return before;
      if (isRenamed) {
        const renamed = (await store.rename(tenantId, id, name)) ?? notFound();
        if (renamed === 'taken') throw taken();
        const details = { before: before.name, after: name };
        await audit.record(actor, { tenantId, action: 'space.rename', subject: id, details });
      }
      if (changes !== undefined) {
        await store.annotate(tenantId, id, changes.after);
        const event = { tenantId, action: 'space.update', subject: id, details: changes };
        await audit.record(actor, event);
      }
      return find(by, id);
    },
  };
}

/** Changing a space affects live too, which exceeds a test credential. */
function assertLive({ environment }: SpaceManager): void {
  if (environment === 'live') return;
  throw new Problem(
    'forbidden',
    'Both environments share spaces. Changing them needs a live credential.',
  );
}

function taken(): Problem {
  return new Problem('conflict', 'Another space already has this name, ignoring case.');
}

function notFound(): never {
  throw new Problem('not_found', 'Space not found.');
}
