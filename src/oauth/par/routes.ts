import type { Context } from 'koa';
import { z } from 'zod';

import type { AuthenticatedClient, Client, ClientAuthentication } from '../../clients/index.js';
import { readForm } from '../../http/body/form.js';
import type { Readers } from '../../http/cors.js';
import { OAUTH_ERRORS } from '../../http/errors/oauth-error-schema.js';
import { assertAllowed, OAuthError } from '../../http/errors/oauth-error.js';
import type { Route } from '../../http/routes.js';
import type { AttemptVerdict } from '../../rate-limits/index.js';
import type { Resources } from '../../resource-servers/index.js';
import type { PrepareClient } from '../client-preparation.js';
import { LIFETIMES } from '../lifetimes.js';
import type { ReadTokenProof } from '../token/token-proof.js';
import { readPushedRequest } from './pushed-request.js';
import type { PushedParameters, PushedRequests } from './pushed-requests.js';

/** The answer (RFC 9126 §2.2). */
const pushedRequest = z.strictObject({ request_uri: z.string(), expires_in: z.int() });

interface Dependencies {
  readonly path: string;
  readonly clients: ClientAuthentication;
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly prepareClient: PrepareClient;
  readonly isRedirectOf: (client: Client, uri: string) => boolean;
  readonly resources: Resources;
  readonly pushed: PushedRequests;
  /** Reads the proof of the request, for the URL of this endpoint. */
  readonly readProof: ReadTokenProof;
  /** Counts a request that is stored. */
  readonly admit: (request: Context['req'], client: AuthenticatedClient) => AttemptVerdict;
}

/** Pushed authorization requests (RFC 9126): a client sends its request directly, and the browser only a reference. */
export function createPushedRequestRoutes(dependencies: Dependencies): Route<'public'>[] {
  const { path, clients, findClient, prepareClient, resources } = dependencies;
  const { isRedirectOf, pushed, admit, readProof } = dependencies;

  return [
    {
      method: 'POST',
      path,
      summary: 'Push an authorization request',
      access: 'public',
      cors: 'perResponse',
      answers: { ...OAUTH_ERRORS, 201: pushedRequest },
      async handle(ctx) {
        const state = ctx.state as { readers?: Readers };
        // Until the client is authenticated, any origin may read the error.
        state.readers = '*';
        const form = await readForm(ctx);
        const proof = await readProof(ctx);
        await prepareClient(ctx, form.get('client_id') ?? '');
        const authenticated = await clients.authenticate(ctx, form);
        state.readers = authenticated.readers();
        const client = await findClient(authenticated.id);
        if (client === undefined) throw new OAuthError(401, 'invalid_client', 'unknown client');
        const served = await resources.servedAmong(form.getAll('resource'));
        const asked = readPushedRequest(form, client, { served, isRedirectOf });
        const parameters = bindTo(proof.key, asked);
        assertAllowed(admit(ctx.req, authenticated), 'Too many authorization requests');
        await proof.claim(undefined);
        const requestUri = await pushed.insert(client.id, parameters);
        // RFC 9126 §2.2
        ctx.status = 201;
        ctx.set('Cache-Control', 'no-cache, no-store');
        ctx.type = 'application/json';
        ctx.body = JSON.stringify({
          request_uri: requestUri,
          expires_in: LIFETIMES.pushedRequest,
        });
      },
    },
  ];
}

/**
 * Binds the code to the key of a proof, as the parameter `dpop_jkt` does (RFC 9449 §10.1).
 *
 * @throws OAuthError 400 if the parameter names another key
 */
function bindTo(key: string | undefined, parameters: PushedParameters): PushedParameters {
  if (key === undefined) return parameters;
  const named = parameters['dpop_jkt'] ?? '';
  if (named !== '' && named !== key) {
    throw new OAuthError(400, 'invalid_request', 'dpop_jkt is not the key of the proof');
  }
  return { ...parameters, dpop_jkt: key };
}
