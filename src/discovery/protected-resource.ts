import type { Route } from '../http/routes.js';
import { PROOF_ALGORITHMS } from '../credentials/index.js';
import { BASIC_SCOPES } from '../scopes/catalog.js';
import { REFERENCE_PATH } from './openapi/routes.js';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** The documents' paths (RFC 9728 §3.1), for the issuer and for the API below it. */
export const METADATA_PATHS = { issuer: WELL_KNOWN, api: `${WELL_KNOWN}/api/v1` } as const;

/**
 * Protected resource metadata (RFC 9728): leads a client from the API to its authorization server and scopes.
 */
export function createProtectedResourceRoutes({
  issuer,
  brandName,
}: {
  issuer: string;
  brandName: string;
}): Route<'public'>[] {
  // Clients request all listed scopes, so the list is minimal.
  const scopes = BASIC_SCOPES;
  const document = (resource: string) =>
    JSON.stringify({
      resource,
      authorization_servers: [issuer],
      scopes_supported: scopes,
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
      dpop_bound_access_tokens_required: false,
      resource_name: `${brandName} API`,
      resource_documentation: issuer + REFERENCE_PATH,
    });
  const route = (path: string, body: string): Route<'public'> => ({
    method: 'GET',
    path,
    access: 'public',
    cors: 'anyOrigin',
    handle(ctx) {
      ctx.set('Cache-Control', 'public, max-age=300');
      ctx.type = 'application/json';
      ctx.body = body;
    },
  });
  return [
    route(METADATA_PATHS.issuer, document(issuer)),
    route(METADATA_PATHS.api, document(`${issuer}/api/v1`)),
  ];
}
