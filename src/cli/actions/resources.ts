import { OPERATOR } from '../../audit/index.js';
import { ownResources } from '../../http/resource-uri.js';
import { parseWith } from '../../http/validation.js';
import {
  createResourceServerService,
  type IssuedServer,
  newResourceServer,
  type ResourceServer,
  resourceServerChange,
  serverRotation,
} from '../../resource-servers/index.js';
import type { CommandContext } from '../command.js';
import { givenResource, givenResourceChange, type ResourceMembers } from '../given.js';
import { pageOf, type OpenList } from '../listing.js';
import { parseOption } from '../parse-option.js';

interface Named {
  /** The id or the identifier. */
  readonly id: string;
}

export async function addResource(
  context: CommandContext,
  values: ResourceMembers & { readonly identifier: string; readonly name: string },
) {
  const { identifier, name } = values;
  const fields = parseWith(newResourceServer, { identifier, name, ...givenResource(values) });
  return presentIssued(await serviceOf(context).add(OPERATOR, fields));
}

export async function listResources(
  context: CommandContext,
): Promise<OpenList<ResourceServer, string>> {
  const service = serviceOf(context);
  return {
    async read({ limit, after }) {
      const found = await service.list({ limit: limit + 1, after });
      return pageOf(found, limit, ({ identifier }) => identifier);
    },
    present,
  };
}

export async function showResource(context: CommandContext, { id }: Named) {
  const service = serviceOf(context);
  const server = await service.find(id);
  return { ...present(server), credentials: await service.credentialsOf(server.id) };
}

export async function updateResource(
  context: CommandContext,
  values: Named & ResourceMembers & { readonly name: string | undefined },
) {
  const change = parseWith(resourceServerChange, givenResourceChange(values));
  return present(await serviceOf(context).change(OPERATOR, values.id, change));
}

export async function rotateResource(
  context: CommandContext,
  { id, grace }: Named & { readonly grace: number | undefined },
) {
  const seconds = parseOption('grace', serverRotation.shape.graceSeconds, grace ?? 0);
  return presentIssued(await serviceOf(context).rotate(OPERATOR, id, seconds));
}

export async function removeResource(
  context: CommandContext,
  { id, reason = null }: Named & { readonly reason: string | null | undefined },
) {
  const removed = await serviceOf(context).remove(OPERATOR, id, reason);
  return { ...present(removed), removed: true, reason };
}

function serviceOf({ manager, keyring, format, config }: CommandContext) {
  return createResourceServerService({
    manager,
    keyring,
    format,
    ownResources: ownResources(config.ISSUER),
  });
}

function present(server: ResourceServer) {
  const { id, identifier, name, scopes, acceptsKeys, dynamicClients, createdAt } = server;
  return { id, identifier, name, scopes, acceptsKeys, dynamicClients, createdAt };
}

function presentIssued({ server, secret }: IssuedServer) {
  return { ...present(server), credential: secret };
}
