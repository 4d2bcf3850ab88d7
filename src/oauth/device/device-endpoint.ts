import type { Context } from 'koa';
import { z } from 'zod';

import type { ClientAuthentication } from '../../clients/index.js';
import type { SecretFormat } from '../../credentials/index.js';
import { readForm, singleValue, type Form } from '../../http/body/form.js';
import type { Readers } from '../../http/cors.js';
import { OAUTH_ERRORS } from '../../http/errors/oauth-error-schema.js';
import { assertAllowed, OAuthError } from '../../http/errors/oauth-error.js';
import { noteFacts } from '../../http/request-facts.js';
import { findResource } from '../../http/resource-uri.js';
import type { Route } from '../../http/routes.js';
import type { AttemptVerdict } from '../../rate-limits/index.js';
import type { Resources, TargetServer } from '../../resource-servers/index.js';
import type { Scope } from '../../scopes/catalog.js';
import type { PrepareClient } from '../client-preparation.js';
import {
  nameScopes,
  parseScope,
  requestedScopes,
  scopesTakenBy,
  takenScopes,
  unknownScopes,
} from '../requested-scopes.js';
import type { DeviceStore } from './device-store.js';
import { createUserCode, showUserCode } from './user-code.js';

/** The lifetime of both codes, in seconds. */
const LIFETIME = 600;
/** Seconds between polls. */
export const POLL_INTERVAL = 5;

/** The answer (RFC 8628 §3.2). */
const deviceCodes = z.strictObject({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.url(),
  verification_uri_complete: z.url(),
  expires_in: z.int(),
  interval: z.int(),
});

interface Dependencies {
  readonly path: string;
  /** The page where the user types the code. */
  readonly verificationUri: string;
  readonly clients: ClientAuthentication;
  readonly prepareClient: PrepareClient;
  readonly store: DeviceStore;
  readonly format: SecretFormat;
  readonly resources: Resources;
  /** The `scope` that a client registered with. */
  readonly registeredScopeOf: (clientId: string) => Promise<string | undefined>;
  /** Counts by address. */
  readonly admit: (request: Context['req']) => AttemptVerdict;
}

/** The device authorization endpoint (RFC 8628 §3.1). */
export function createDeviceEndpoint(dependencies: Dependencies): Route<'public'> {
  const { path, verificationUri, clients, store, format } = dependencies;
  return {
    method: 'POST',
    path,
    access: 'public',
    summary: 'Begin the authorization of a device',
    cors: 'perResponse',
    answers: { ...OAUTH_ERRORS, 200: deviceCodes },
    async handle(ctx) {
      // Until the client is authenticated, any origin may read the error.
      (ctx.state as { readers?: Readers }).readers = '*';
      const form = await readForm(ctx);
      singleValue(form, 'scope');
      await dependencies.prepareClient(
        ctx as unknown as Context,
        singleValue(form, 'client_id') ?? '',
      );
      const client = await clients.authenticate(ctx as unknown as Context, form);
      (ctx.state as { readers?: Readers }).readers = client.readers();
      noteFacts(ctx, { clientId: client.id });
      if (!client.mayUseDevices) {
        const description = 'The client did not register for the device grant.';
        throw new OAuthError(400, 'unauthorized_client', description);
      }
      assertAllowed(dependencies.admit(ctx.req), 'Too many requests');
      const targets = await targetsOf(form, client.id, dependencies.resources);
      const request = {
        clientId: client.id,
        scopes: takenOf(await scopesOf(form, client, dependencies), targets),
        resources: targets.map(({ identifier }) => identifier),
      };
      const codes = { deviceCode: format.mint('dc'), userCode: createUserCode() };
      await store.insert(codes, request, LIFETIME);
      const shown = showUserCode(codes.userCode);
      ctx.type = 'application/json';
      ctx.set('Cache-Control', 'no-store');
      ctx.body = JSON.stringify({
        device_code: codes.deviceCode,
        user_code: shown,
        verification_uri: verificationUri,
        verification_uri_complete: `${verificationUri}?user_code=${shown}`,
        expires_in: LIFETIME,
        interval: POLL_INTERVAL,
      });
    },
  };
}

async function scopesOf(
  form: Form,
  { id, mayRefresh }: { readonly id: string; readonly mayRefresh: boolean },
  { registeredScopeOf }: Dependencies,
): Promise<readonly Scope[]> {
  const registered = await registeredScopeOf(id);
  const sent = parseScope(form.get('scope') ?? '');
  const unknown = unknownScopes(sent, registered);
  if (unknown.length > 0) {
    const description = `unknown, or not registered by the client: ${nameScopes(unknown)}`;
    throw new OAuthError(400, 'invalid_scope', description);
  }
  const scopes = requestedScopes(sent, registered);
  return mayRefresh ? scopes : scopes.filter((scope) => scope !== 'offline_access');
}

/** @throws OAuthError `invalid_scope` if none is left that concerns a resource */
function takenOf(scopes: readonly Scope[], targets: readonly Target[]): readonly Scope[] {
  const { taken, untaken } = takenScopes(scopes, targets.map(scopesTakenBy));
  if (untaken.length === 0) return taken;
  const description = `not taken by the resource: ${nameScopes(untaken)}`;
  throw new OAuthError(400, 'invalid_scope', description);
}

/** A resource that tokens are requested for. `scopes`: those that it takes, `null` for all. */
type Target = Pick<TargetServer, 'identifier' | 'scopes'>;

/** The requested resources (RFC 8707 §2), or this server's API. @throws OAuthError `invalid_target` */
async function targetsOf(
  form: Form,
  clientId: string,
  resources: Resources,
): Promise<readonly Target[]> {
  const own = resources.own.map((identifier) => ({ identifier, scopes: null }));
  const named = form.getAll('resource').filter((text) => text !== '');
  const servers = await resources.serversAmong(named, clientId);
  const served: Target[] = [...own, ...servers.filter(({ admitsClient }) => admitsClient)];
  const identifiers = served.map(({ identifier }) => identifier);
  const found = new Set(named.map((resource) => findResource(identifiers, resource)));
  if (found.has(undefined)) throw new OAuthError(400, 'invalid_target', 'resource is unknown');
  if (found.size === 0) return own.slice(0, 1);
  return [...found].flatMap((name) => served.filter(({ identifier }) => identifier === name));
}
