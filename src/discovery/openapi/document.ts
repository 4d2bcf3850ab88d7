import { problemSchema } from '../../http/errors/problem-schema.js';
import { OAUTH_SCOPES, scopeFacts } from '../../scopes/catalog.js';
import { answerSchema, type JsonSchema } from './json-schema.js';
import {
  codesOf,
  descriptionOf,
  headersOf,
  operationOf,
  PROBLEM_STATUSES,
  RATE_LIMIT_HEADERS,
  templateOf,
  type DocumentedRoute,
  type Operation,
  type Parameter,
} from './operation.js';

export interface OpenApiOptions {
  readonly issuer: string;
  readonly brandName: string;
  /** The header that chooses a space. */
  readonly spaceHeader: string;
}

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string } & JsonSchema;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  /** Operations by path and method, in lower case. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly parameters: Readonly<Record<string, Parameter>> } & JsonSchema;
  readonly [member: string]: unknown;
}

/** Generates the description of the API from the declarations of its routes. */
export function createOpenApi(
  routes: readonly DocumentedRoute[],
  options: OpenApiOptions,
): OpenApiDocument {
  const { issuer, brandName, spaceHeader } = options;
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = templateOf(route.path);
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: operationOf(route, spaceHeader),
    };
  }
  const tags = [...new Set(Object.values(paths).flatMap((path) => tagsOf(path)))];
  return {
    openapi: '3.1.0',
    info: {
      title: `${brandName} API`,
      version: '1',
      description: `Answers have the members \`data\` and \`meta\`. Errors are problem details (RFC 9457): ${issuer}/docs/errors explains each \`code\`.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: issuer }],
    tags: tags.map((name) => ({ name, description: `Routes of ${name}.` })),
    paths,
    components: {
      schemas: { Problem: answerSchema(problemSchema) },
      responses: problemResponses(),
      headers: HEADERS,
      parameters: { IdempotencyKey: IDEMPOTENCY_KEY },
      securitySchemes: securitySchemes(issuer),
    },
  };
}

const tagsOf = (path: Readonly<Record<string, Operation>>) =>
  Object.values(path).flatMap(({ tags }) => tags);

function problemResponses(): object {
  return Object.fromEntries(
    PROBLEM_STATUSES.map((status) => {
      const [code = 'bad_request'] = codesOf(status);
      return [
        String(status),
        {
          description: descriptionOf(status),
          headers: headersOf(status, undefined),
          content: {
            'application/problem+json': {
              schema: { $ref: '#/components/schemas/Problem' },
              example: {
                type: `https://api.example.com/docs/errors#${code}`,
                title: descriptionOf(status).split(',')[0]?.replace(/\.$/, ''),
                status,
                detail: 'A sentence for the developer of the client.',
                code,
                request_id: 'req_01HZX3V5Q8R2N7K4M6P9T0W1YB',
              },
            },
          },
        },
      ];
    }),
  );
}

const whole = { type: 'integer', minimum: 0 };

const HEADERS: Readonly<Record<string, JsonSchema>> = {
  'X-Request-Id': {
    description: 'Names the request in logs. The same as `request_id`.',
    schema: { type: 'string' },
  },
  'WWW-Authenticate': {
    description: 'The challenge (RFC 6750 §3, RFC 9728 §5.1).',
    schema: { type: 'string' },
  },
  'Retry-After': { description: 'Seconds to wait.', schema: whole },
  ...Object.fromEntries(
    RATE_LIMIT_HEADERS.map((name) => [
      name,
      {
        description: name.endsWith('Reset')
          ? 'Seconds until the budget is full again.'
          : 'Units of the budget.',
        schema: whole,
      },
    ]),
  ),
};

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'Names the operation. A repeated request with the same key gets the first answer again, for 24 hours.',
  schema: { type: 'string', maxLength: 255 },
};

function securitySchemes(issuer: string): object {
  const scopes = Object.fromEntries(
    OAUTH_SCOPES.map((scope) => [scope, scopeFacts(scope).description]),
  );
  return {
    oauth2: {
      type: 'oauth2',
      description: 'An access token that a user granted to an app.',
      flows: {
        authorizationCode: {
          authorizationUrl: `${issuer}/api/v1/oauth/authorize`,
          tokenUrl: `${issuer}/api/v1/oauth/token`,
          refreshUrl: `${issuer}/api/v1/oauth/token`,
          scopes,
        },
      },
    },
    bearer: {
      type: 'http',
      scheme: 'bearer',
      description: 'An API key, or any other credential, as a bearer.',
    },
    apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key.' },
    client: {
      type: 'http',
      scheme: 'basic',
      description: 'A confidential OAuth client, with its secret.',
    },
    operator: {
      type: 'http',
      scheme: 'bearer',
      description: 'An operator key, which is admitted at `/api/v1/operator/*` only.',
    },
    session: {
      type: 'apiKey',
      in: 'header',
      name: 'X-CSRF-Token',
      description: "A signed-in browser, from this origin's own pages.",
    },
  };
}
