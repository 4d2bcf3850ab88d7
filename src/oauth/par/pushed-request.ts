import type { Client } from '../../clients/index.js';
import type { Form } from '../../http/body/form.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { findResource } from '../../http/resource-uri.js';
import { storageFault } from '../authorize/authorization-request.js';
import { nameScopes, parseScope, unknownScopes } from '../requested-scopes.js';
import type { PushedParameters } from './pushed-requests.js';

/** Parameters that authenticate the client. They are not part of the authorization request (RFC 9126 §2.1). */
const AUTHENTICATION = ['client_secret', 'client_assertion', 'client_assertion_type'];
/** The only parameter that may be repeated (RFC 8707 §2). */
const RESOURCE = 'resource';
const CHALLENGE = /^[\w\-.~]{43,128}$/;

interface Rules {
  /** The resources that tokens can be for, among the requested ones. */
  readonly served: readonly string[];
  readonly isRedirectOf: (client: Client, uri: string) => boolean;
}

/**
 * Validates an authorization request as the authorization endpoint would (RFC 9126 §2.1). Faults that only appear there,
 * such as a role that allows no scope, are found there.
 *
 * @returns its parameters
 * @throws OAuthError 400
 */
export function readPushedRequest(form: Form, client: Client, rules: Rules): PushedParameters {
  const names = [...new Set(form.keys())].filter((name) => !AUTHENTICATION.includes(name));
  const repeated = names.find((name) => name !== RESOURCE && form.getAll(name).length > 1);
  if (repeated !== undefined) throw refused('invalid_request', 'A parameter is given twice.');
  const entries = names.map((name) => {
    const values = form.getAll(name);
    return [name, values.length > 1 ? values : (values[0] ?? '')] as const;
  });
  const parameters = { ...Object.fromEntries(entries), client_id: client.id };
  const fault =
    faultOfForm(form) ?? faultOfRedirect(form, client, rules) ?? faultOfTarget(form, client, rules);
  if (fault !== undefined) throw fault;
  const tooLong = storageFault(parameters);
  if (tooLong !== undefined) throw refused('invalid_request', tooLong);
  return parameters;
}

function faultOfForm(form: Form): OAuthError | undefined {
  if (form.has('request_uri')) return refused('invalid_request', 'request_uri is not allowed here');
  if (form.has('request')) {
    return refused('request_not_supported', 'request objects are not supported');
  }
  const type = form.get('response_type') ?? '';
  if (type === '') return refused('invalid_request', 'response_type is missing');
  if (type !== 'code') return refused('unsupported_response_type', 'response_type must be code');
  if ((form.get('response_mode') || 'query') !== 'query') {
    return refused('unsupported_response_mode', 'response_mode must be query');
  }
  // RFC 7636 §4.3, for every client.
  if (!CHALLENGE.test(form.get('code_challenge') ?? '')) {
    return refused('invalid_request', 'code_challenge is missing or malformed');
  }
  return form.get('code_challenge_method') === 'S256'
    ? undefined
    : refused('invalid_request', 'code_challenge_method must be S256');
}

function faultOfRedirect(form: Form, client: Client, rules: Rules): OAuthError | undefined {
  const uri = form.get('redirect_uri') ?? '';
  if (uri === '') return refused('invalid_request', 'redirect_uri is missing');
  return rules.isRedirectOf(client, uri)
    ? undefined
    : refused('invalid_request', 'redirect_uri is not registered');
}

function faultOfTarget(form: Form, client: Client, { served }: Rules): OAuthError | undefined {
  const unknown = unknownScopes(parseScope(form.get('scope') ?? ''), client.metadata.scope);
  if (unknown.length > 0) {
    const description = `unknown, or not registered by the client: ${nameScopes(unknown)}`;
    return refused('invalid_scope', description);
  }
  const resources = form.getAll(RESOURCE).filter((resource) => resource !== '');
  return resources.every((resource) => findResource(served, resource) !== undefined)
    ? undefined
    : refused('invalid_target', 'resource is unknown');
}

function refused(error: string, description: string): OAuthError {
  return new OAuthError(400, error, description);
}
