import type { EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../audit/index.js';
import { createId } from '../db/id.js';
import { changesOf } from '../http/annotations.js';
import { isSingleLine } from '../http/body/text.js';
import { Problem } from '../http/errors/problem.js';
import type { NewTenant, TenantChange } from './tenant-schema.js';
import {
  createTenantStore,
  slugTaken as messageOfSlug,
  type StoredTenant,
} from './tenant-store.js';

/** A tenant that was created or updated. */
export interface Mirrored {
  readonly tenant: StoredTenant;
  readonly isNew: boolean;
}

/** Creates and changes tenants, with an audit entry each. The same values are not a change, and leave no entry. */
export interface TenantService {
  /** @throws Problem `not_found` */
  find(idOrSlug: string): Promise<StoredTenant>;
  /** @throws Problem `conflict` for a slug or an external id that is taken */
  create(actor: Actor, fields: NewTenant): Promise<StoredTenant>;
  /**
   * Creates the tenant with an external id, or updates it. Simultaneous calls create one. A slug that is made of the name
   * and taken gets a suffix.
   *
   * @throws Problem `conflict` for a slug that is given and taken
   */
  mirror(actor: Actor, externalId: string, fields: MirroredFields): Promise<Mirrored>;
  /**
   * @param seen the name that the actor has seen
   * @returns `changed` if `seen` is not the name any more
   * @throws Problem `not_found`; `conflict` for a slug or an external id of another tenant
   */
  update(
    actor: Actor,
    id: string,
    change: TenantChange,
    seen?: string,
  ): Promise<StoredTenant | 'changed'>;
  /**
   * Suspends a tenant, or ends its suspension.
   * @param reason for the audit log
   * @throws Problem `not_found`
   */
  setSuspended(
    actor: Actor,
    idOrSlug: string,
    isSuspended: boolean,
    reason?: string | null,
  ): Promise<StoredTenant>;
}

/** The members of a mirrored tenant. A new one needs a name. */
export type MirroredFields = Omit<TenantChange, 'externalId'> & { readonly name: string };

/** @param manager of a transaction, so that a change and its audit entry commit together */
export function createTenantService(manager: EntityManager): TenantService {
  const store = createTenantStore(manager);
  const audit = createAuditLog(manager);
  const find = async (idOrSlug: string) => {
    // PostgreSQL refuses NUL and lone surrogates.
    if (!isSingleLine(idOrSlug)) throw new Problem('not_found', 'There is no such tenant.');
    return (await store.find(idOrSlug)) ?? notFound(idOrSlug);
  };

  /** @returns `undefined` if the slug or the external id is taken */
  async function insert(actor: Actor, fields: NewTenant & { readonly slug: string }) {
    const tenant = await store.create(fields);
    if (tenant === undefined) return undefined;
    const { id, slug, name, externalId } = tenant;
    const details = { slug, name, ...(externalId !== null && { externalId }) };
    await audit.record(actor, { tenantId: id, action: 'tenant.create', subject: id, details });
    return tenant;
  }

  const { update, setSuspended } = createChanges({ store, audit, find });
  return {
    find,
    update,
    setSuspended,
    async create(actor, fields) {
      const slug = fields.slug ?? slugOf(fields.name);
      const created = await insert(actor, { ...fields, slug });
      if (created !== undefined) return created;
      const { externalId } = fields;
      const isIdTaken =
        externalId !== null && (await store.findByExternalId(externalId)) !== undefined;
      throw isIdTaken
        ? new Problem('conflict', `Another tenant has the external id ${externalId}.`)
        : slugTaken(slug);
    },
    async mirror(actor, externalId, fields) {
      const updated = async ({ id }: StoredTenant) => {
        const tenant = await update(actor, id, fields);
        if (tenant === 'changed') throw new Error('nothing was seen');
        return { tenant, isNew: false };
      };
      const known = await store.findByExternalId(externalId);
      if (known !== undefined) return updated(known);
      const { name, metadata = {} } = fields;
      const slugs = fields.slug === undefined ? slugsOf(name) : [fields.slug];
      for (const slug of slugs) {
        const tenant = await insert(actor, { name, slug, externalId, metadata });
        if (tenant !== undefined) return { tenant, isNew: true };
        const meanwhile = await store.findByExternalId(externalId);
        if (meanwhile !== undefined) return updated(meanwhile);
      }
      throw slugTaken(slugs[0] ?? '');
    },
  };
}

interface Parts {
  readonly store: ReturnType<typeof createTenantStore>;
  readonly audit: ReturnType<typeof createAuditLog>;
  readonly find: TenantService['find'];
}

function createChanges({
  store,
  audit,
  find,
}: Parts): Pick<TenantService, 'update' | 'setSuspended'> {
  return {
    async update(actor, id, change, seen) {
      const tenant = (await store.findForUpdate(id)) ?? notFound(id);
      if (seen !== undefined && seen !== tenant.name) return 'changed';
      const { slug } = change;
      const owner = slug === undefined ? undefined : await store.find(slug);
      if (slug !== undefined && owner !== undefined && owner.id !== id) throw slugTaken(slug);
      const names = (['name', 'slug'] as const).filter(
        (member) => change[member] !== undefined && change[member] !== tenant[member],
      );
      const pick = (values: TenantChange) =>
        Object.fromEntries(names.map((member) => [member, values[member]]));
      const annotations = changesOf(tenant, change);
      if (names.length === 0 && annotations === undefined) return tenant;
      const after = { ...pick(change), ...annotations?.after };
      await store.update(id, after);
      const before = {
        ...pick({ name: tenant.name, slug: tenant.slug }),
        ...annotations?.before,
      };
      const details = { before, after };
      await audit.record(actor, { tenantId: id, action: 'tenant.update', subject: id, details });
      return find(id);
    },
    async setSuspended(actor, idOrSlug, isSuspended, reason = null) {
      const { id, suspendedAt } = await find(idOrSlug);
      await store.setSuspended(id, isSuspended);
      if ((suspendedAt !== null) !== isSuspended) {
        const action = isSuspended ? 'tenant.suspend' : 'tenant.resume';
        const details = reason === null ? {} : { reason };
        await audit.record(actor, { tenantId: id, action, subject: id, details });
      }
      return find(id);
    },
  };
}

const MAX_SLUG = 63;
const SUFFIX_LENGTH = 8;

/** A slug that is made of a name. */
function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_SLUG)
    .replaceAll(/^-+|-+$/g, '');
  return slug === '' ? `tenant-${suffix()}` : slug;
}

/** The slug of a name, and the same with a suffix in case it is taken. */
function slugsOf(name: string): readonly [string, string] {
  const slug = slugOf(name);
  const room = MAX_SLUG - SUFFIX_LENGTH - 1;
  return [slug, `${slug.slice(0, room)}-${suffix()}`];
}

function suffix(): string {
  return createId('').slice(-SUFFIX_LENGTH).toLowerCase();
}

function slugTaken(slug: string): Problem {
  return new Problem('conflict', messageOfSlug(slug));
}

function notFound(idOrSlug: string): never {
  throw new Problem('not_found', `There is no tenant ${idOrSlug}.`);
}
