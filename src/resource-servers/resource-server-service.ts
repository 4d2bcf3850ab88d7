import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import { createRevocationStore, type Keyring, type SecretFormat } from '../credentials/index.js';
import { createId } from '../db/id.js';
import { Problem } from '../http/errors/problem.js';
import { canonicalResource, findResource } from '../http/resource-uri.js';
import {
  createResourceServerStore,
  type ResourceServer,
  type ResourceServerStore,
  type ServerCredential,
} from './resource-server-store.js';
import type { NewResourceServer, ResourceServerChange } from './server-schema.js';

/** A resource server with its credential, which is readable this once. */
export interface IssuedServer {
  readonly server: ResourceServer;
  readonly secret: string;
}

/**
 * Registers and ends resource servers. Every function throws a Problem: `conflict` for an identifier that is taken,
 * `not_found` for an unknown server.
 */
export interface ResourceServerService {
  add(actor: Actor, fields: NewResourceServer): Promise<IssuedServer>;
  /** @param named the id or the identifier */
  find(named: string): Promise<ResourceServer>;
  /** Up to `limit` servers after an identifier, in the order of identifiers. */
  list: ResourceServerStore['list'];
  credentialsOf(id: string): Promise<readonly ServerCredential[]>;
  change(actor: Actor, named: string, change: ResourceServerChange): Promise<ResourceServer>;
  /** Issues another credential. The former ones remain valid for `graceSeconds`. */
  rotate(actor: Actor, named: string, graceSeconds: number): Promise<IssuedServer>;
  /** Deletes a server. Its credentials, and all tokens for it, end with the next request. */
  remove(actor: Actor, named: string, reason: string | null): Promise<ResourceServer>;
}

interface Dependencies {
  /** Manager of a transaction: a change and its audit entry commit together. */
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** The resources that this server itself is. */
  readonly ownResources: readonly string[];
}

/** The part between brand and secret of a resource server's credential. */
export const SERVER_PREFIX = 'rs';

export function createResourceServerService(dependencies: Dependencies): ResourceServerService {
  const { ownResources } = dependencies;
  const { store, revocations, record, find, issueCredential } = createParts(dependencies);

  return {
    find,
    list: (page) => store.list(page),
    credentialsOf: (id) => store.listCredentials(id),

    async add(actor, fields) {
      const { identifier } = fields;
      const canonical = canonicalResource(identifier);
      if (canonical === undefined || findResource(ownResources, identifier) !== undefined) {
        throw new Problem('conflict', `${identifier} is this server itself.`);
      }
      const id = createId('rsv');
      const issueSeq = await revocations.drawIssueOrder([id]);
      if (!(await store.insert({ id, ...fields }, { canonical, issueSeq }))) {
        throw new Problem('conflict', `The identifier ${identifier} is taken.`);
      }
      const secret = await issueCredential(id);
      const server = await find(id);
      await record(actor, 'add', server);
      return { server, secret };
    },

    async change(actor, named, change) {
      const server = await find(named);
      const { name, scopes, acceptsKeys, dynamicClients } = Object.assign({}, server, change);
      await store.update(server.id, { name, scopes, acceptsKeys, dynamicClients });
      const changed = await find(server.id);
      await record(actor, 'update', changed, change);
      return changed;
    },

    async rotate(actor, named, graceSeconds) {
      const server = await find(named);
      await store.endCredentials(server.id, graceSeconds);
      const secret = await issueCredential(server.id);
      await record(actor, 'rotate', server, { graceSeconds });
      return { server, secret };
    },

    async remove(actor, named, reason) {
      const server = await find(named);
      await revocations.revoke(server.id, actor.id, reason);
      await store.delete(server.id);
      await record(actor, 'remove', server, { reason });
      return server;
    },
  };
}

function createParts({ manager, keyring, format }: Dependencies) {
  const store = createResourceServerStore(manager);
  const revocations = createRevocationStore(manager);
  const audit = createAuditLog(manager);

  const record = (actor: Actor, action: string, { id, ...server }: ResourceServer, more = {}) =>
    audit.record(actor, {
      tenantId: null,
      action: `resource.${action}`,
      subject: id,
      details: { identifier: server.identifier, name: server.name, ...more },
    });

  async function find(named: string): Promise<ResourceServer> {
    const server = await store.find(
      named.startsWith('rsv_') ? named : (canonicalResource(named) ?? named),
    );
    if (server === undefined) throw new Problem('not_found', `There is no resource ${named}.`);
    return server;
  }

  async function issueCredential(serverId: string): Promise<string> {
    const id = createId('rsc');
    const secret = format.mint(SERVER_PREFIX);
    await store.insertCredential({
      id,
      serverId,
      digest: keyring.digest(secret),
      masked: format.mask(secret),
      issueSeq: await revocations.drawIssueOrder([id, serverId]),
    });
    return secret;
  }

  return { store, revocations, record, find, issueCredential };
}
