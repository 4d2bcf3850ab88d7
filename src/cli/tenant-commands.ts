import type { EntityManager } from 'typeorm';
import { z } from 'zod';

import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import { text } from '../http/validation.js';
import { createTenantStore } from '../tenants/tenant-store.js';
import type { Tenant } from '../tenants/tenant.entity.js';
import { Refused, type Arguments, type Command } from './command.js';
import { listCommand, pageOf } from './listing.js';
import { parseOption } from './parse-option.js';

const slug = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and dashes');

/** The tenant that is meant, as a word of its own or as `--tenant`. */
function tenantOf(manager: EntityManager, args: Arguments): Promise<Tenant> {
  return getTenant(manager, nameOf(args));
}

function nameOf(args: Arguments): string {
  return args.positionals[0] ?? args.required('tenant');
}

/** @throws Refused if there is no such tenant */
export async function getTenant(manager: EntityManager, idOrSlug: string): Promise<Tenant> {
  const tenant = await createTenantStore(manager).find(idOrSlug);
  if (tenant === undefined) throw new Refused(`There is no tenant ${idOrSlug}.`);
  return tenant;
}

function setSuspended(verb: 'suspend' | 'resume', summary: string): Command {
  const isSuspended = verb === 'suspend';
  return {
    name: `tenants ${verb}`,
    usage: '<id or slug>',
    summary,
    options: { tenant: { type: 'string' } },
    positionals: [0, 1],
    ...(isSuspended && {
      schema: 'any',
      question: (args) =>
        `Suspend ${nameOf(args)}? Its credentials stop working until you resume it.`,
    }),
    async run({ manager }, args) {
      const tenant = await tenantOf(manager, args);
      await createTenantStore(manager).setSuspended(tenant.id, isSuspended);
      if ((tenant.suspendedAt !== null) !== isSuspended) {
        await createAuditLog(manager).record(OPERATOR, {
          tenantId: tenant.id,
          action: `tenant.${verb}`,
          subject: tenant.id,
        });
      }
      return present(await getTenant(manager, tenant.id));
    },
  };
}

export const TENANT_COMMANDS: readonly Command[] = [
  {
    name: 'tenants create',
    usage: '<name> [--slug SLUG]',
    summary: 'Creates a tenant with its default space. The name can be given as --name too.',
    options: { name: { type: 'string' }, slug: { type: 'string' } },
    positionals: [0, 1],
    async run({ manager }, args) {
      const name = parseOption('name', text(100), args.positionals[0] ?? args.required('name'));
      const wanted = args.option('slug') ?? slugOf(name);
      const tenant = await createTenantStore(manager).create({
        name,
        slug: parseOption('slug', slug, wanted),
      });
      if (tenant === undefined) throw new Refused(`The slug ${wanted} is taken.`);
      await createAuditLog(manager).record(OPERATOR, {
        tenantId: tenant.id,
        action: 'tenant.create',
        subject: tenant.id,
        details: { slug: tenant.slug, name },
      });
      return present(tenant);
    },
  },
  listCommand({
    name: 'tenants list',
    usage: '',
    summary: 'Lists the tenants, by slug.',
    options: {},
    async open({ manager }) {
      const store = createTenantStore(manager);
      return {
        async read({ limit, after }: { limit: number; after: string | undefined }) {
          const found = await store.list({ limit: limit + 1, after });
          return pageOf(found, limit, ({ slug: last }) => last);
        },
        present,
      };
    },
  }),
  {
    name: 'tenants update',
    usage: '<id or slug> [--name NAME] [--slug SLUG]',
    summary: 'Changes the name or the slug of a tenant.',
    options: { tenant: { type: 'string' }, name: { type: 'string' }, slug: { type: 'string' } },
    positionals: [0, 1],
    async run({ manager }, args) {
      const tenant = await tenantOf(manager, args);
      const name = args.option('name');
      const newSlug = args.option('slug');
      const fields = {
        ...(name !== undefined && { name: parseOption('name', text(100), name) }),
        ...(newSlug !== undefined && { slug: parseOption('slug', slug, newSlug) }),
      };
      const store = createTenantStore(manager);
      const owner = newSlug === undefined ? undefined : await store.find(newSlug);
      if (owner !== undefined && owner.id !== tenant.id) {
        throw new Refused(`The slug ${newSlug} is taken.`);
      }
      await store.update(tenant.id, fields);
      await createAuditLog(manager).record(OPERATOR, {
        tenantId: tenant.id,
        action: 'tenant.update',
        subject: tenant.id,
        details: fields,
      });
      return present(await getTenant(manager, tenant.id));
    },
  },
  setSuspended('suspend', 'Makes all credentials of a tenant stop working for the time being.'),
  setSuspended('resume', 'Ends a suspension.'),
];

function present({ id, slug: ownSlug, name, suspendedAt, createdAt }: Tenant) {
  const status = suspendedAt === null ? 'active' : 'suspended';
  return { id, slug: ownSlug, name, status, suspendedAt, createdAt };
}

function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
}
