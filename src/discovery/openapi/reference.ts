import type { OpenApiDocument } from './document.js';
import type { JsonSchema } from './json-schema.js';
import type { Operation, Parameter } from './operation.js';

/** A member of a body or a parameter, as the page lists it. */
export interface ReferenceField {
  /** With dots for members of members, and `[]` for items. */
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly description: string;
}

interface ReferenceBody {
  readonly fields: readonly ReferenceField[];
  /** Indented JSON; `undefined` for other media types. */
  readonly example: string | undefined;
}

export interface ReferenceOperation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly scopes: readonly string[];
  readonly principals: readonly string[];
  readonly cost: number | undefined;
  readonly parameters: readonly ReferenceField[];
  readonly body: ReferenceBody;
  readonly answers: readonly ({ readonly status: string } & ReferenceBody)[];
}

/** The data of the page `/docs/api`. */
export interface Reference {
  readonly apiTitle: string;
  readonly groups: readonly {
    readonly title: string;
    readonly id: string;
    readonly operations: readonly ReferenceOperation[];
  }[];
}

/** Nested members deeper than this are shown as their type only. */
const MAX_DEPTH = 4;

/** Arranges the document for the page: operations by tag, schemas as lists of members. */
export function createReference(document: OpenApiDocument): Reference {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      tag: operation.tags[0],
      shown: show(path, method, operation, document),
    })),
  );
  return {
    apiTitle: document.info.title,
    groups: document.tags.map(({ name }) => ({
      title: name,
      id: name.toLowerCase().replaceAll(' ', '-'),
      operations: operations.filter(({ tag }) => tag === name).map(({ shown }) => shown),
    })),
  };
}

interface Media {
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

interface Content {
  readonly content?: Readonly<Record<string, Media>>;
}

function show(
  path: string,
  method: string,
  operation: Operation,
  { components }: OpenApiDocument,
): ReferenceOperation {
  const { parameters, requestBody, responses } = operation as unknown as {
    readonly parameters: readonly Parameter[];
    readonly requestBody?: Content;
    readonly responses: Readonly<Record<string, Content>>;
  };
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    summary: operation.summary,
    scopes: (operation['x-scopes'] ?? [operation['x-operator-scope']].filter(Boolean)) as string[],
    principals: (operation['x-principals'] ??
      ('x-operator-scope' in operation ? ['operator'] : [])) as readonly string[],
    cost: operation['x-cost'] as number | undefined,
    parameters: parameters.map((parameter) =>
      showParameter(components.parameters[parameter.$ref?.split('/').at(-1) ?? ''] ?? parameter),
    ),
    body: bodyIn(requestBody),
    answers: Object.entries(responses)
      .filter(([status]) => status.startsWith('2'))
      .map(([status, answer]) => ({ status, ...bodyIn(answer) })),
  };
}

function showParameter(parameter: Parameter): ReferenceField {
  const { name = '', required = false, description = '', schema = {} } = parameter;
  const where = parameter.in === 'query' ? '' : ` (${parameter.in})`;
  return {
    name: `${name}${where}`,
    type: typeOf(schema),
    isRequired: required,
    description,
  };
}

function bodyIn(content: Content | undefined): ReferenceBody {
  const [media] = Object.values(content?.content ?? {});
  if (media === undefined) return { fields: [], example: undefined };
  const { schema, example } = media;
  return {
    fields: fieldsOf(schema, '', 0),
    example: example === undefined ? undefined : JSON.stringify(example, null, 2),
  };
}

function fieldsOf(schema: JsonSchema, prefix: string, depth: number): readonly ReferenceField[] {
  const { properties = {}, required = [] } = schema as {
    readonly properties?: Readonly<Record<string, JsonSchema>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).flatMap(([name, member]) => {
    const shown = `${prefix}${name}`;
    const field = {
      name: shown,
      type: typeOf(member),
      isRequired: required.includes(name),
      description: typeof member['description'] === 'string' ? member['description'] : '',
    };
    if (depth >= MAX_DEPTH) return [field];
    const { items } = member as { readonly items?: JsonSchema };
    const nested = items
      ? fieldsOf(items, `${shown}[].`, depth + 1)
      : fieldsOf(member, `${shown}.`, depth + 1);
    return [field, ...nested];
  });
}

/** More values than these are not listed. */
const MAX_VALUES = 12;

/** A type in words, such as `string, at most 200 characters` or `"live" or "test"`. */
function typeOf(schema: JsonSchema): string {
  const {
    type,
    enum: values,
    anyOf,
    oneOf,
    items,
    maxLength,
    format,
  } = schema as {
    readonly type?: string | readonly string[];
    readonly enum?: readonly unknown[];
    readonly anyOf?: readonly JsonSchema[];
    readonly oneOf?: readonly JsonSchema[];
    readonly items?: JsonSchema;
    readonly maxLength?: number;
    readonly format?: string;
  };
  if ('const' in schema) return JSON.stringify(schema['const']);
  if (values) {
    const shown = values.slice(0, MAX_VALUES).map((value) => JSON.stringify(value));
    return values.length > MAX_VALUES
      ? `${shown.join(', ')}, … (${values.length} values)`
      : shown.join(' or ');
  }
  const choices = anyOf ?? oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(' or ');
  if (type === 'array') return `list of ${items ? typeOf(items) : 'any'}`;
  const details = [
    format,
    maxLength === undefined ? undefined : `at most ${maxLength} characters`,
  ].filter((detail) => detail !== undefined);
  const name = typeof type === 'string' ? type : (type ?? ['any']).join(' or ');
  return [name, ...details].join(', ');
}
