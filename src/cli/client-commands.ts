import type { EntityManager } from 'typeorm';

import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import {
  createClientStore,
  type ClientPosition,
  type ListedClient,
} from '../clients/client-store.js';
import { isPublicClientId } from '../clients/registration/client-id.js';
import type { Client } from '../clients/client.entity.js';
import { createRevocationStore } from '../credentials/revocation/revocation-store.js';
import { createConsentStore } from '../grants/consent-store.js';
import { Refused, type Arguments, type Command } from './command.js';
import { listCommand, pageOf } from './listing.js';
import { getTenant } from './tenant-commands.js';

/**
 * Ends what was issued through a client so far, to one tenant or to all. Users are asked again
 * before anything else is issued.
 */
async function endIssued(
  manager: EntityManager,
  clientId: string,
  tenantId: string | null,
  reason: string | null,
): Promise<void> {
  const subject = tenantId === null ? clientId : `${clientId}@${tenantId}`;
  await createRevocationStore(manager).revoke(subject, OPERATOR.id, reason);
  await createConsentStore(manager).deleteOfClient(tenantId, clientId);
}

function setBlocked(verb: 'block' | 'unblock', summary: string): Command {
  const isBlocked = verb === 'block';
  return {
    name: `clients ${verb}`,
    usage: `<client id> [--tenant TENANT]${isBlocked ? ' [--reason TEXT]' : ''}`,
    summary,
    options: {
      tenant: { type: 'string' },
      ...(isBlocked && { reason: { type: 'string' } as const }),
    },
    positionals: [1, 1],
    ...(isBlocked && {
      schema: 'any',
      question: (args) =>
        `Block ${args.positionals[0]} for ${args.option('tenant') ?? 'all tenants'}? Everything issued through it there ends permanently.`,
    }),
    async run({ manager }, args) {
      const { id } = await clientOf(manager, args);
      const tenant = args.option('tenant');
      const tenantId = tenant === undefined ? null : (await getTenant(manager, tenant)).id;
      const reason = args.option('reason') ?? null;
      // First: it waits for whatever is just being issued, which has not seen the block.
      if (isBlocked) await endIssued(manager, id, tenantId, reason);
      if (await createClientStore(manager).setBlocked(id, tenantId, isBlocked)) {
        await createAuditLog(manager).record(OPERATOR, {
          tenantId,
          action: `client.${verb}`,
          subject: id,
          ...(isBlocked && { details: { reason } }),
        });
      }
      return presentDetails(manager, await clientOf(manager, args));
    },
  };
}

function setVerified(verb: 'verify' | 'unverify', summary: string): Command {
  return {
    name: `clients ${verb}`,
    usage: '<client id>',
    summary,
    options: {},
    positionals: [1, 1],
    async run({ manager }, args) {
      const { id, name } = await clientOf(manager, args);
      if (await createClientStore(manager).setVerified(id, verb === 'verify')) {
        await createAuditLog(manager).record(OPERATOR, {
          tenantId: null,
          action: `client.${verb}`,
          subject: id,
          details: { name },
        });
      }
      return presentDetails(manager, await clientOf(manager, args));
    },
  };
}

export const CLIENT_COMMANDS: readonly Command[] = [
  listCommand({
    name: 'clients list',
    usage: '',
    summary: 'Lists the registered clients, newest first.',
    options: {},
    async open({ manager }) {
      const store = createClientStore(manager);
      return {
        async read({ limit, after }: { limit: number; after: ClientPosition | undefined }) {
          const found = await store.list({ limit: limit + 1, after });
          return pageOf(found, limit, ({ id, position }) => ({ createdAt: position, id }));
        },
        present,
      };
    },
  }),
  {
    name: 'clients show',
    usage: '<client id>',
    summary: 'Shows a client with what it registered.',
    options: {},
    positionals: [1, 1],
    run: async ({ manager }, args) => presentDetails(manager, await clientOf(manager, args)),
  },
  {
    name: 'clients revoke',
    usage: '<client id> [--reason TEXT]',
    summary: 'Ends everything issued through a client so far. It can be authorized again.',
    options: { reason: { type: 'string' } },
    positionals: [1, 1],
    schema: 'any',
    question: ({ positionals }) =>
      `Revoke everything issued through ${positionals[0]} so far? None of it ever works again.`,
    async run({ manager }, args) {
      const client = await clientOf(manager, args);
      const reason = args.option('reason') ?? null;
      await endIssued(manager, client.id, null, reason);
      await createAuditLog(manager).record(OPERATOR, {
        tenantId: null,
        action: 'client.revoke',
        subject: client.id,
        details: { name: client.name, reason },
      });
      return { ...present(client), revoked: true, reason };
    },
  },
  setBlocked(
    'block',
    'Ends everything issued through a client, and admits it nowhere, or not in one tenant.',
  ),
  setBlocked('unblock', 'Admits a blocked client again. What was ended stays ended.'),
  setVerified('verify', 'Vouches for a client: the consent page does not warn about it any more.'),
  setVerified('unverify', 'Takes that back.'),
];

/** @throws Refused if there is no such client */
async function clientOf(manager: EntityManager, { positionals }: Arguments): Promise<Client> {
  const client = await createClientStore(manager).find(positionals[0] ?? '');
  if (client === undefined) throw new Refused(`There is no client ${positionals[0]}.`);
  return client;
}

function present({ id, name, isVerified, blockedAt, createdAt }: Omit<ListedClient, 'position'>) {
  const type = isPublicClientId(id) ? 'public' : 'confidential';
  const status = blockedAt === null ? 'active' : 'blocked';
  return { id, name, type, status, verified: isVerified, createdAt };
}

async function presentDetails(manager: EntityManager, client: Client) {
  return {
    ...present(client),
    blockedAt: client.blockedAt,
    blockedInTenants: await createClientStore(manager).listBlockingTenants(client.id),
    metadata: client.metadata,
  };
}
