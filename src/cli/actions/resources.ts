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
import { Misuse } from '../errors.js';
import { pageOf, type OpenList } from '../listing.js';
import { parseOption } from '../parse-option.js';

interface Named {
  /** The id or the identifier. */
  readonly id: string;
}

interface Members {
  readonly scopes: string | undefined;
  readonly acceptsKeys: 'true' | 'false' | undefined;
  readonly dynamicClients: 'true' | 'false' | undefined;
}

export async function addResource(
  context: CommandContext,
  values: Members & { readonly identifier: string; readonly name: string },
) {
  const { identifier, name } = values;
  const fields = parseWith(newResourceServer, { identifier, name, ...membersOf(values) });
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
  values: Named & Members & { readonly name: string | undefined },
) {
  const { id, name } = values;
  const given = { ...(name !== undefined && { name }), ...membersOf(values) };
  if (Object.keys(given).length === 0) {
    throw new Misuse('Give --name, --scopes, --accepts-keys or --dynamic-clients.');
  }
  const change = parseWith(resourceServerChange, given);
  return present(await serviceOf(context).change(OPERATOR, id, change));
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

function membersOf({ scopes, acceptsKeys, dynamicClients }: Members) {
  return {
    ...(scopes !== undefined && { scopes: scopes === 'all' ? null : listOf(scopes) }),
    ...(acceptsKeys !== undefined && { acceptsKeys: acceptsKeys === 'true' }),
    ...(dynamicClients !== undefined && { dynamicClients: dynamicClients === 'true' }),
  };
}

function listOf(scopes: string): readonly string[] {
  return scopes.split(/[\s,]+/).filter(Boolean);
}

function present(server: ResourceServer) {
  const { id, identifier, name, scopes, acceptsKeys, dynamicClients, createdAt } = server;
  return { id, identifier, name, scopes, acceptsKeys, dynamicClients, createdAt };
}

function presentIssued({ server, secret }: IssuedServer) {
  return { ...present(server), credential: secret };
}
