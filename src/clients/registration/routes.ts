import type { IncomingMessage } from 'node:http';

import { parseJson, readRawJson } from '../../http/body/body.js';
import type { RouteContext } from '../../http/context.js';
import { OAUTH_ERRORS } from '../../http/errors/oauth-error-schema.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { Problem } from '../../http/errors/problem.js';
import { createHostRule } from '../../http/public-host.js';
import { noteFacts } from '../../http/request-facts.js';
import type { Route } from '../../http/routes.js';
import { createMetadataReader, shownMetadata, type ClientMetadata } from './client-metadata.js';
import type { Client } from '../client.entity.js';
import { createRegistrationLimits } from './limits.js';
import { clientInformation, registrationRequest } from './metadata-members.js';
import {
  createRegistrationService,
  type RegistrationService,
  type RegistrationSource,
} from './service.js';

type Service = Parameters<typeof createRegistrationService>[0];

type Dependencies = Omit<Service, 'limits' | 'readMetadata'> & {
  /** The endpoint's path. A client's configuration endpoint is below it. */
  readonly path: string;
  /** Attempts per minute of one address; 0 = unlimited. */
  readonly limitPerMinute: number;
  /** Private hosts, and suffixes that begin with a dot, that redirect URIs may have. */
  readonly redirectHostsAllowed: readonly string[];
  /** Whether this server may fetch a URL. */
  readonly isFetchable: (url: string) => boolean;
  /** The origin of `registration_client_uri`. */
  readonly issuer: string;
  readonly clientAddress: (request: IncomingMessage) => string;
};

const MAX_BODY = 64 * 1024;

/**
 * Open dynamic client registration (RFC 7591), and its management (RFC 7592) with a registration access token. Errors are
 * `OAuthError`s.
 */
export function createRegistrationRoutes({
  path,
  issuer,
  clientAddress,
  limitPerMinute,
  redirectHostsAllowed,
  isFetchable,
  ...dependencies
}: Dependencies): Route<'public'>[] {
  const readMetadata = createMetadataReader({
    isHostAllowed: createHostRule(redirectHostsAllowed),
    isFetchable,
  });
  const limits = createRegistrationLimits(dependencies.dataSource.manager, limitPerMinute);
  const service = createRegistrationService({ ...dependencies, limits, readMetadata });
  const sourceOf = ({ req, state }: RouteContext): RegistrationSource => ({
    address: clientAddress(req),
    requestId: state.requestId,
  });
  const send = createSender(issuer + path);

  return [
    {
      method: 'POST',
      path,
      access: 'public',
      cors: 'anyOrigin',
      summary: 'Register a client',
      ownBody: registrationRequest,
      answers: { ...OAUTH_ERRORS, 201: clientInformation },
      async handle(ctx) {
        const source = sourceOf(ctx);
        limits.admit(source.address);
        const metadata = await limits.countFailures(source.address, async () =>
          readMetadata(await readBody(ctx)),
        );
        const { client, registrationToken, clientSecret } = await service.register(
          metadata,
          source,
        );
        // The installation's own metadata, with the ports that the shared row does not store.
        send(ctx, 201, client, metadata, {
          ...(clientSecret !== undefined && { client_secret: clientSecret }),
          registration_access_token: registrationToken,
        });
      },
    },
    ...createManagementRoutes(`${path}/:clientId`, { service, send, sourceOf }),
  ];
}

/** Shows, replaces and deletes a client (RFC 7592 §2). */
function createManagementRoutes(
  path: string,
  {
    service,
    send,
    sourceOf,
  }: {
    readonly service: RegistrationService;
    readonly send: ReturnType<typeof createSender>;
    readonly sourceOf: (ctx: RouteContext) => RegistrationSource;
  },
): Route<'public'>[] {
  const idOf = (ctx: RouteContext) => ctx.params['clientId'] ?? '';
  return [
    {
      method: 'GET',
      path,
      access: 'public',
      cors: 'anyOrigin',
      summary: 'Show a client',
      answers: { ...OAUTH_ERRORS, 200: clientInformation },
      async handle(ctx) {
        const token = bearerOf(ctx.req);
        const client = await service.get(idOf(ctx), token);
        send(ctx, 200, client, client.metadata, { registration_access_token: token ?? '' });
      },
    },
    {
      method: 'PUT',
      path,
      access: 'public',
      cors: 'anyOrigin',
      summary: 'Replace the metadata of a client',
      ownBody: registrationRequest,
      answers: { ...OAUTH_ERRORS, 200: clientInformation },
      async handle(ctx) {
        const token = bearerOf(ctx.req);
        // Authenticates before the body is read.
        await service.get(idOf(ctx), token);
        const body = await readBody(ctx);
        const client = await service.replace(idOf(ctx), token, body, sourceOf(ctx));
        send(ctx, 200, client, client.metadata, { registration_access_token: token ?? '' });
      },
    },
    {
      method: 'DELETE',
      path,
      access: 'public',
      cors: 'anyOrigin',
      summary: 'Delete a client',
      answers: { ...OAUTH_ERRORS, 204: null },
      async handle(ctx) {
        await service.delete(idOf(ctx), bearerOf(ctx.req), sourceOf(ctx));
        noteFacts(ctx, { clientId: idOf(ctx) });
        ctx.status = 204;
      },
    },
  ];
}

/** @param clientsUrl the address below which clients are */
function createSender(clientsUrl: string) {
  return (
    ctx: RouteContext,
    status: number,
    { id, createdAt }: Client,
    metadata: ClientMetadata,
    secrets: { readonly client_secret?: string; readonly registration_access_token: string },
  ): void => {
    noteFacts(ctx, { clientId: id });
    ctx.status = status;
    ctx.type = 'application/json';
    ctx.body = JSON.stringify({
      client_id: id,
      client_id_issued_at: Math.floor(createdAt.getTime() / 1000),
      ...shownMetadata(metadata),
      ...secrets,
      ...(secrets.client_secret !== undefined && { client_secret_expires_at: 0 }),
      registration_client_uri: `${clientsUrl}/${id}`,
    });
  };
}

/** @throws OAuthError 400 `invalid_client_metadata` for invalid JSON; Problem 413, 415 */
async function readBody(ctx: RouteContext): Promise<unknown> {
  const raw = await readRawJson(ctx, MAX_BODY);
  try {
    return parseJson(raw);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new OAuthError(400, 'invalid_client_metadata', error.message);
  }
}

/** The bearer token (RFC 6750 §2.1), if there is exactly one. */
function bearerOf({ headersDistinct }: IncomingMessage): string | undefined {
  const [value = '', ...more] = headersDistinct['authorization'] ?? [];
  return more.length > 0 ? undefined : /^Bearer +([^\s,]+)$/i.exec(value)?.[1];
}
