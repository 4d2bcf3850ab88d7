import { ABSENT, idOf, isCollection, namedId, SHOWN, VALUES } from './example-values.js';
import type { JsonSchema } from './json-schema.js';

interface Schema extends JsonSchema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: string;
  readonly pattern?: string;
}

/** The place of a schema in its document. */
interface Place {
  /** The name of the member. */
  readonly name: string;
  /** The object that has the member, or the collection in the path. */
  readonly owner: string;
  readonly of: 'request' | 'answer';
}

/**
 * An example of a body. Requests show the required members and some others, answers all that are always there. Schemas
 * can give a value of their own as `examples`.
 *
 * @param path the path of the route, whose collection tells the kind of the ids
 */
export function exampleOf(schema: JsonSchema, path: string, of: Place['of']): unknown {
  const segments = path.split('/');
  const last = segments.findLast((segment) => !segment.startsWith(':'));
  const owner = segments.findLast(isCollection) ?? last ?? '';
  return valueOf(schema, { name: '', owner, of });
}

function valueOf(schema: Schema, place: Place): unknown {
  if (schema.examples !== undefined) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return chosen(choices, place);
  if (ABSENT.has(place.name) && typesOf(schema).includes('null')) return null;
  const named = VALUES[`${place.owner}.${place.name}`] ?? VALUES[place.name];
  if (named !== undefined && isAllowed(named, schema)) return named;
  if (schema.enum !== undefined) return schema.enum[0];
  const [type = 'any'] = typesOf(schema);
  switch (type) {
    case 'object':
      return objectOf(schema, place);
    case 'array':
      return listOf(schema, place);
    case 'string':
      return textOf(schema, place);
    case 'integer':
    case 'number':
      return Math.min(Math.max(1, schema.minimum ?? 1), schema.maximum ?? Infinity);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return named ?? textOf(schema, place);
  }
}

/** The first choice that is neither `null`, unless the member is usually absent, nor of a credential that is refused. */
function chosen(choices: readonly Schema[], place: Place): unknown {
  const isNull = ({ type }: Schema) => type === 'null';
  if (choices.some(isNull) && ABSENT.has(place.name)) return null;
  const isShown = (each: Schema) => !isNull(each) && each.properties?.['active']?.const !== false;
  const choice = choices.find(isShown);
  return valueOf(choice ?? {}, place);
}

function objectOf({ properties = {}, required = [] }: Schema, place: Place): object {
  const owner = ['', 'data'].includes(place.name) ? place.owner : place.name;
  const names = Object.keys(properties);
  const isShown = (name: string) =>
    required.includes(name) || (place.of === 'request' && SHOWN.has(name));
  const shown = names.filter(isShown);
  // A change of nothing shows nothing.
  const [first] = names;
  if (shown.length === 0 && place.of === 'request' && first !== undefined) shown.push(first);
  return Object.fromEntries(
    shown.map((name) => [name, valueOf(properties[name] ?? {}, { ...place, name, owner })]),
  );
}

function listOf({ items = {}, prefixItems }: Schema, place: Place): readonly unknown[] {
  return (prefixItems ?? [items]).map((item) => valueOf(item, place));
}

const LONG = 'f'.repeat(342);

function textOf({ format, pattern, minLength = 0, maxLength }: Schema, { name, owner }: Place) {
  if (format === 'date-time') return '2026-01-15T09:30:00.000Z';
  if (format === 'uri') return 'https://app.example.com';
  const prefix = /^\^([a-z]{3})_$/.exec(pattern ?? '')?.[1];
  if (prefix !== undefined) return idOf(prefix);
  const id = namedId(name, owner);
  if (id !== undefined) return id;
  const text = pattern === undefined ? 'text' : LONG;
  const matching = [43, 342].map((length) => text.slice(0, length));
  const fitting = matching.find((each) => pattern === undefined || new RegExp(pattern).test(each));
  return (fitting ?? '').padEnd(minLength, 'f').slice(0, maxLength);
}

function typesOf({ type }: Schema): readonly (string | undefined)[] {
  return Array.isArray(type) ? (type as readonly string[]) : [type as string | undefined];
}

/** Whether a value fits the members of a schema that are looked at here. */
function isAllowed(value: unknown, schema: Schema): boolean {
  const types = typesOf(schema);
  if (schema.enum !== undefined) return schema.enum.includes(value);
  if (Array.isArray(value)) {
    return types.includes('array') && value.every((item) => isAllowed(item, schema.items ?? {}));
  }
  const type = value === null ? 'null' : typeof value;
  const isOfType = types.includes(type) || (type === 'number' && types.includes('integer'));
  if (types[0] !== undefined && !isOfType) return false;
  if (type === 'object') return schema.properties === undefined;
  const { pattern = '', minimum = -Infinity, maximum = Infinity } = schema;
  if (typeof value === 'number') return value >= minimum && value <= maximum;
  return typeof value !== 'string' || new RegExp(pattern).test(value);
}
