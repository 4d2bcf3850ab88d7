import { BEYOND, META, RESOURCE, WORKFLOW } from '../../scopes/contract.js';

/**
 * Promises of the API about kinds, presentations and routes, written out apart from the source: whatever goes
 * wrong there, in a table or in code, differs from this.
 */

export type Environment = 'live' | 'test';
export type PrincipalKind = 'tenant' | 'user' | 'service' | 'agent' | 'publishable';

/** Every scope, in the order in which scopes are listed. */
export const SCOPES = [...RESOURCE, ...WORKFLOW, ...META, ...BEYOND];
const PUBLIC_SCOPES = ['products:read', 'documents:read'];
const NEVER_THROUGH_OAUTH = ['api_keys:manage', 'spaces:manage', 'introspect'];

interface KindFacts {
  readonly prefix: Readonly<Partial<Record<Environment, string>>>;
  /** How `/me` calls it. */
  readonly type: string;
  readonly principal: PrincipalKind;
  /** All that it can hold, in the hands of an administrator. */
  readonly carries: readonly string[];
}

const both = (prefix: string) => ({ live: prefix, test: prefix });

const KINDS = {
  secret: {
    prefix: { live: 'bwp_live_', test: 'bwp_test_' },
    type: 'api_key',
    principal: 'tenant',
    carries: SCOPES,
  },
  publishable: {
    prefix: { live: 'bwp_pk_live_', test: 'bwp_pk_test_' },
    type: 'publishable_key',
    principal: 'publishable',
    carries: SCOPES.filter((scope) => PUBLIC_SCOPES.includes(scope)),
  },
  personal: {
    prefix: both('bwp_pat_'),
    type: 'personal_access_token',
    principal: 'user',
    carries: SCOPES,
  },
  service: { prefix: both('bwp_svc_'), type: 'service', principal: 'service', carries: SCOPES },
  agent: { prefix: both('bwp_agt_'), type: 'agent', principal: 'agent', carries: SCOPES },
  organization: {
    prefix: both('bwp_org_'),
    type: 'organization',
    principal: 'tenant',
    carries: ['api_keys:manage', 'spaces:manage'],
  },
  access_token: {
    // Alone, tokens act in live.
    prefix: { live: 'bwp_at_' },
    type: 'access_token',
    principal: 'user',
    carries: SCOPES.filter((scope) => !NEVER_THROUGH_OAUTH.includes(scope)),
  },
} as const satisfies Record<string, KindFacts>;

export type Kind = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as Kind[];
export const factsOf = (kind: Kind): KindFacts => KINDS[kind];

type Headers = Readonly<Record<string, string>>;

/** Parts of a request that presents a secret in some way. */
export interface Carried {
  readonly headers: Headers;
  readonly query: string;
}

const header = (name: string, start: string) => (secret: string) => ({
  headers: { [name]: start + secret },
  query: '',
});
const query = (name: string) => (secret: string) => ({ headers: {}, query: `${name}=${secret}` });

/** Every way to present a credential. */
export const PRESENTATIONS = {
  Bearer: header('Authorization', 'Bearer '),
  DPoP: header('Authorization', 'DPoP '),
  Token: header('Authorization', 'Token '),
  'X-API-Key': header('X-API-Key', ''),
  'X-Bwp-Api-Token': header('X-Bwp-Api-Token', ''),
  '?auth_token=': query('auth_token'),
} as const satisfies Record<string, (secret: string) => Carried>;

export type Presentation = keyof typeof PRESENTATIONS;
export const PRESENTATION_NAMES = Object.keys(PRESENTATIONS) as Presentation[];

/** Presentations of other products that Gatehouse does not read. */
export const NO_PRESENTATIONS: Readonly<Record<string, (secret: string) => Carried>> = {
  Basic: (secret) =>
    header('Authorization', 'Basic ')(Buffer.from(`${secret}:`).toString('base64')),
  'no scheme': header('Authorization', ''),
  'X-Api-Token': header('X-Api-Token', ''),
  'X-Auth-Token': header('X-Auth-Token', ''),
  Cookie: header('Cookie', 'auth_token='),
  '?access_token=': query('access_token'),
  '?api_key=': query('api_key'),
};

/** Whether a good credential of this kind may come like this. No credential here is bound to a proof key. */
export function isPresentable(kind: Kind, by: Presentation, method: string): boolean {
  if (by === 'DPoP') return false;
  if (by !== '?auth_token=') return true;
  return kind === 'publishable' && (method === 'GET' || method === 'HEAD');
}

/** Whom a route admits. */
export interface Admission {
  readonly scopes: readonly string[];
  readonly principals: readonly PrincipalKind[];
}

const EVERYBODY = ['tenant', 'user', 'service', 'agent', 'publishable'] as const;
const NO_STRANGERS = ['tenant', 'user', 'service', 'agent'] as const;
/** Machines never manage. */
const MANAGERS = ['tenant', 'user'] as const;
const ACTIONS: Readonly<Record<string, string>> = {
  GET: 'read',
  HEAD: 'read',
  POST: 'write',
  PUT: 'write',
  PATCH: 'write',
  DELETE: 'delete',
};

/** Whom a route of the API admits, by its path; `undefined` for a route that nothing is promised of. */
export function admissionTo(method: string, path: string): Admission | 'public' | undefined {
  const [, noun = ''] = path.split('/');
  const scope = `${noun}:${ACTIONS[method]}`;
  if (SCOPES.includes(scope)) {
    const isPublic = PUBLIC_SCOPES.includes(scope);
    return { scopes: [scope], principals: isPublic ? EVERYBODY : NO_STRANGERS };
  }
  switch (noun) {
    case 'scopes':
      return 'public';
    case 'me':
      return { scopes: [], principals: EVERYBODY };
    case 'usage':
    case 'audit-log':
      return { scopes: ['audit:read'], principals: NO_STRANGERS };
    case 'spaces':
      return { scopes: ['spaces:manage'], principals: MANAGERS };
    case 'api-keys':
    case 'credentials':
      return { scopes: ['api_keys:manage'], principals: MANAGERS };
    default:
      return undefined;
  }
}

/** Routes that have to be there; others may be. */
export const ROUTES = [
  'GET /me',
  'GET /scopes',
  'GET /usage',
  'GET /audit-log',
  'GET /audit-log/exports',
  'GET /contacts',
  'POST /contacts',
  'GET /contacts/:id',
  'PATCH /contacts/:id',
  'DELETE /contacts/:id',
  'GET /products',
  'GET /products/:id',
  'GET /spaces',
  'POST /spaces',
  'GET /api-keys',
  'POST /api-keys',
  'POST /api-keys/:id/rotate',
  'GET /api-keys/:id',
  'PATCH /api-keys/:id',
  'DELETE /api-keys/:id',
  'POST /credentials/test',
];
