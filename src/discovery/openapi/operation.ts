import type { Access } from '../../credentials/index.js';
import { PROBLEMS, type ProblemCode } from '../../http/errors/problem.js';
import { API_PREFIX, type RouteDeclaration } from '../../http/route-declaration.js';
import { OAUTH_SCOPES, type Scope } from '../../scopes/catalog.js';
import { exampleOf } from './examples.js';
import { answerSchema, requestSchema, type JsonSchema } from './json-schema.js';
import { formSchema } from './oauth-forms.js';

/** A route with its whole path. */
export type DocumentedRoute = RouteDeclaration &
  Required<Pick<RouteDeclaration, 'summary' | 'answers'>>;

/** An operation of OpenAPI 3.1. */
export type Operation = Readonly<Record<string, unknown>> & {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly [string];
};

/** A parameter of an operation, or a reference to one in `components`. */
export interface Parameter {
  readonly $ref?: string;
  readonly name?: string;
  readonly in?: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: JsonSchema;
}

const OAUTH = `${API_PREFIX}/oauth/`;
const MUTATIONS = ['POST', 'PUT', 'PATCH', 'DELETE'];

/** Statuses of problems that every route with a guard can answer. */
const ALWAYS = [400, 401, 403, 422, 429, 500, 503];
const WITH_BODY = [409, 413, 415];

/** Describes a route. `spaceHeader` is the name of the header that chooses a space. */
export function operationOf(route: DocumentedRoute, spaceHeader: string): Operation {
  const { method, path, summary, cost } = route;
  const access = guardOf(route.access);
  const body = bodyOf(route);
  return {
    operationId: operationIdOf(method, path),
    summary,
    tags: [tagOf(path)],
    ...securityOf(route, access),
    ...(access && {
      'x-scopes': access.scopes,
      'x-principals': access.principals,
      'x-sessions': access.sessions === true,
    }),
    ...(isForOperators(route.access) && { 'x-operator-scope': route.access.operator }),
    ...(cost !== undefined && { 'x-cost': cost }),
    parameters: parametersOf(route, access, spaceHeader),
    ...(body && { requestBody: body }),
    responses: responsesOf(route, access),
  };
}

/** The path with OpenAPI's notation of parameters. */
export function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}');
}

type Guarded = Exclude<Access, 'public'>;

/** The rule for credentials; `undefined` for public routes and for those with a guard of another sort. */
function guardOf(access: unknown): Guarded | undefined {
  return typeof access === 'object' && access !== null && 'principals' in access
    ? (access as Guarded)
    : undefined;
}

function operationIdOf(method: string, path: string): string {
  const words = path
    .replace(`${API_PREFIX}/`, '')
    .split(/[/.-]/)
    .filter((word) => word !== '')
    .map((word) => (word.startsWith(':') ? `By${capitalized(word.slice(1))}` : capitalized(word)));
  return method.toLowerCase() + words.join('');
}

const capitalized = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** The group of a path: its first segment below the API, in words. */
function tagOf(path: string): string {
  if (path.startsWith(OAUTH)) return 'OAuth';
  const [first = ''] = path.replace(`${API_PREFIX}/`, '').split('/');
  return capitalized(first.replaceAll('-', ' ')).replace(/^Api\b/, 'API');
}

function securityOf({ path, access }: DocumentedRoute, guarded: Guarded | undefined): object {
  if (guarded) {
    const scopes: readonly Scope[] = guarded.scopes;
    const throughOauth =
      guarded.principals.includes('user') && scopes.every((scope) => OAUTH_SCOPES.includes(scope));
    return {
      security: [...(throughOauth ? [{ oauth2: scopes }] : []), { bearer: [] }, { apiKey: [] }],
    };
  }
  if (path.startsWith(`${OAUTH}introspect`)) return { security: [{ client: [] }, { bearer: [] }] };
  if (access === 'public') return { security: [] };
  if (isForSessions(access)) return { security: [{ session: [] }] };
  if (isForOperators(access)) return { security: [{ operator: [] }] };
  return { security: [{ bearer: [] }] };
}

/** The rule of the operator's API. */
function isForOperators(access: unknown): access is { readonly operator: string } {
  return typeof access === 'object' && access !== null && 'operator' in access;
}

const isForSessions = (access: unknown) =>
  typeof access === 'object' && access !== null && 'session' in access;

function parametersOf(
  { method, path, query, access: rule }: DocumentedRoute,
  access: Guarded | undefined,
  spaceHeader: string,
): readonly object[] {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const { properties = {}, required = [] } = (query ? requestSchema(query) : {}) as {
    properties?: Readonly<Record<string, JsonSchema>>;
    required?: readonly string[];
  };
  const inQuery = Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    ...(required.includes(name) && { required: true }),
    ...(description !== undefined && { description }),
    schema,
  }));
  return [
    ...inPath,
    ...inQuery,
    ...(access?.resource === undefined
      ? []
      : [
          {
            name: spaceHeader,
            in: 'header',
            description: 'A space of the tenant; its default space if absent.',
            schema: { type: 'string' },
          },
        ]),
    ...((access ?? isForOperators(rule)) && MUTATIONS.includes(method) && method !== 'PUT'
      ? [{ $ref: '#/components/parameters/IdempotencyKey' }]
      : []),
  ];
}

function bodyOf({ body, ownBody, path, method }: DocumentedRoute): object | undefined {
  const schema = body ?? ownBody;
  if (schema) {
    const shown = requestSchema(schema);
    const example = exampleOf(shown, path, 'request');
    return { required: true, content: { 'application/json': { schema: shown, example } } };
  }
  const form = path.startsWith(OAUTH) && method === 'POST' ? formSchema(path) : undefined;
  return (
    form && {
      required: true,
      content: { 'application/x-www-form-urlencoded': { schema: form } },
    }
  );
}

function responsesOf(route: DocumentedRoute, access: Guarded | undefined): object {
  const declared = Object.entries(route.answers).map(([status, answer]) => [
    status,
    {
      description: descriptionOf(Number(status)),
      headers: headersOf(Number(status), access),
      ...(answer !== null && { content: contentOf(answer, route.path, status) }),
    },
  ]);
  const isOAuth = route.path.startsWith(OAUTH) && !access;
  const known = new Set(Object.keys(route.answers));
  const problems = isOAuth
    ? []
    : [
        ...ALWAYS,
        ...(route.path.includes(':') ? [404] : []),
        ...(MUTATIONS.includes(route.method) ? WITH_BODY : []),
      ].filter((status) => !known.has(String(status)));
  return Object.fromEntries([
    ...declared,
    ...problems.map((status) => [String(status), { $ref: `#/components/responses/${status}` }]),
  ]);
}

function contentOf(
  answer: NonNullable<DocumentedRoute['answers'][number]>,
  path: string,
  status: string,
): object {
  if ('mediaTypes' in answer) {
    return Object.fromEntries(
      answer.mediaTypes.map((type) => [type.split(';')[0], { schema: { type: 'string' } }]),
    );
  }
  const schema = answerSchema(answer);
  // Refusals have examples in `components`.
  const example = status.startsWith('2') && { example: exampleOf(schema, path, 'answer') };
  return { 'application/json': { schema, ...example } };
}

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  200: 'Done.',
  201: 'Created.',
  202: 'Accepted.',
  204: 'Done. The answer has no body.',
};

/** The titles of the problems with a status, such as `Unauthorized, or credential expired.` */
export function descriptionOf(status: number): string {
  const titles = Object.values(PROBLEMS)
    .filter((problem) => problem.status === status)
    .map(({ title }, index) => (index === 0 ? title : title.toLowerCase()));
  return DESCRIPTIONS[status] ?? (titles.length > 0 ? `${titles.join(', or ')}.` : 'Refused.');
}

/** The codes of problems with a status. */
export function codesOf(status: number): readonly ProblemCode[] {
  return (Object.keys(PROBLEMS) as ProblemCode[]).filter(
    (code) => PROBLEMS[code].status === status,
  );
}

/** Names of headers in `components`, by the answers that have them. */
export function headersOf(status: number, access: object | undefined): object {
  const names = [
    'X-Request-Id',
    ...(access && ![401, 500, 503].includes(status) ? RATE_LIMIT_HEADERS : []),
    ...(status === 401 || status === 403 ? ['WWW-Authenticate'] : []),
    ...(status === 429 || status === 503 ? ['Retry-After'] : []),
  ];
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

export const RATE_LIMIT_HEADERS = ['Tenant', 'Key'].flatMap((of) =>
  ['Limit', 'Remaining', 'Reset'].map((what) => `RateLimit-${of}-${what}`),
);

/** Statuses of the problems in `components`. */
export const PROBLEM_STATUSES = [...ALWAYS, 404, ...WITH_BODY];
