import { readFileSync } from 'node:fs';
import { z } from 'zod';

import { SYSTEM_SCOPES } from './system-scopes.js';

/** The actions of a resource, each a scope `<resource>:<action>`. Other actions are listed below `scopes`. */
const ACTIONS = ['read', 'write', 'delete'] as const;
export type Action = (typeof ACTIONS)[number];

const MAX_BYTES = 1024 * 1024;
const MAX_RESOURCES = 500;
const MAX_SCOPES = 1000;
const MAX_ROLES = 50;

const words = (max: number) => z.string().trim().min(1).max(max);
const name = z
  .string()
  .regex(/^[a-z][a-z\d_]{0,39}$/, 'must be lower-case letters, digits and _, such as pay_apps');
const scopeName = z
  .string()
  .regex(/^[a-z][a-z\d_]{0,39}(?::[a-z][a-z\d_]{0,39})?$/, 'must be a scope such as bids:send');
const delegated = z
  .string()
  .regex(
    /^(?:\*:[a-z]+|[a-z][a-z\d_]{0,39}(?::[a-z][a-z\d_]{0,39})?)$/,
    'must be a scope such as bids:send, or an action of every resource such as *:read',
  );
const actions = z.array(z.enum(ACTIONS)).max(ACTIONS.length);

const resource = z.strictObject({
  name: name.describe('First part of its scopes, such as contacts in contacts:read.'),
  noun: words(60).describe('Plural noun in sentences, such as "pay applications".'),
  actions: actions.min(1).default([...ACTIONS]),
  public: actions.default([]).describe('Actions that a publishable key may carry.'),
  basic: actions
    .optional()
    .describe(
      'Actions that the protected-resource metadata lists, and that a request without `scope` asks for. Default: read.',
    ),
});

const scope = z.strictObject({
  name: scopeName,
  group: words(60).describe('Heading under which consent pages and forms show it.'),
  sentence: words(200).describe('Explains it to the user who grants it.'),
  grantedTo: z
    .enum(['all', 'keys', 'oauth'])
    .default('all')
    .describe('`keys` never through OAuth, `oauth` never on a key.'),
  public: z.boolean().default(false).describe('Whether a publishable key may carry it.'),
  basic: z
    .boolean()
    .default(false)
    .describe('Whether the protected-resource metadata lists it among the minimal scopes.'),
});

const role = z.strictObject({
  name,
  title: words(60),
  sentence: words(200).describe('Explains it to the administrator who gives it.'),
  administers: z
    .boolean()
    .default(false)
    .describe('Administers its organization and delegates every scope. Exactly one role does.'),
  oversees: z
    .boolean()
    .default(false)
    .describe('Sees keys, members in detail and usage in the console, without changing them.'),
  delegates: z
    .array(delegated)
    .max(MAX_SCOPES)
    .default([])
    .describe('Scopes that it can delegate to apps and keys, or *:read for every resource.'),
});

const document = z.strictObject({
  $schema: z.string().optional(),
  resources: z.array(resource).max(MAX_RESOURCES).default([]),
  scopes: z.array(scope).max(MAX_SCOPES).default([]).describe('Scopes beside those of resources.'),
  roles: z.array(role).min(1).max(MAX_ROLES),
  renamed: z
    .record(z.string().max(100), z.string().max(100))
    .default({})
    .describe('Former name of a scope or role → its name today.'),
});

/** A catalogue as its document states it, with defaults filled in. */
export type CatalogDocument = z.output<typeof document>;

/** The members that faults between members depend on. A malformed part counts as missing, and its text is not repeated. */
const skeleton = z.object({
  resources: z
    .array(
      z.object({
        name: name.catch(''),
        actions: resource.shape.actions.catch([...ACTIONS]),
        public: resource.shape.public.catch([]),
        basic: resource.shape.basic.catch([]),
      }),
    )
    .catch([]),
  scopes: z.array(z.object({ name: scopeName.catch('') })).catch([]),
  roles: z
    .array(
      z.object({
        name: name.catch(''),
        administers: role.shape.administers.catch(false),
        delegates: z.array(delegated.catch('')).catch([]),
      }),
    )
    .catch([]),
  renamed: z.record(z.string(), z.string().catch('')).catch({}),
});

type Skeleton = z.output<typeof skeleton>;

/** JSON Schema (2020-12) of the document. */
export function catalogSchema(): object {
  return {
    ...z.toJSONSchema(document, { io: 'input' }),
    title: 'Catalogue of scopes and roles',
  };
}

/** A document without faults, or all faults with their place in the file. */
export type ReadCatalog =
  | { readonly document: CatalogDocument; readonly faults: readonly [] }
  | { readonly document?: never; readonly faults: readonly string[] };

/**
 * Reads and checks a catalogue.
 * @returns every fault at once, such as `roles[1].delegates[0]: contacts:raed is not a scope of this catalogue`
 */
export function readCatalog(file: string): ReadCatalog {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { faults: [`cannot be read (${(error as NodeJS.ErrnoException).code})`] };
  }
  return parseCatalog(text);
}

/** The same for the content of a file. */
export function parseCatalog(text: string): ReadCatalog {
  if (text.length > MAX_BYTES) return { faults: ['is larger than 1 MiB'] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { faults: [`is not JSON: ${(error as SyntaxError).message}`] };
  }
  // perf: compiling the schema takes longer than its single use.
  const parsed = document.safeParse(value, { reportInput: false, jitless: true });
  const faults = parsed.error?.issues.map(describe) ?? [];
  const readable = parsed.success ? parsed : skeleton.safeParse(value, { jitless: true });
  if (readable.success) faults.push(...crossFaults(readable.data));
  return parsed.success && faults.length === 0 ? { document: parsed.data, faults: [] } : { faults };
}

/** Describes a fault with its place, such as `roles[2].title: is too long`. */
function describe({ path, message }: z.core.$ZodIssue): string {
  const place = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
  return place === '' ? message : `${place}: ${message}`;
}

/** The names of all scopes of a catalogue, with the system's. */
export function scopeNamesOf({
  resources,
  scopes,
}: Pick<Skeleton, 'resources' | 'scopes'>): readonly string[] {
  return [
    ...resources.flatMap(({ name: of, actions: each }) => each.map((action) => `${of}:${action}`)),
    ...scopes.map(({ name: of }) => of),
    ...SYSTEM_SCOPES,
  ];
}

/** The scopes of a catalogue that a publishable key may carry. */
export function publicScopeNamesOf({ resources, scopes }: CatalogDocument): readonly string[] {
  return [
    ...resources.flatMap(({ name: of, public: each }) => each.map((action) => `${of}:${action}`)),
    ...scopes.filter(({ public: isPublic }) => isPublic).map(({ name: of }) => of),
  ];
}

/** The faults between members of a document. */
function crossFaults(catalog: Skeleton): string[] {
  const names = [
    ...catalog.resources.flatMap(({ name: of, actions: each }, index) =>
      each.map((action) => [`resources[${index}]`, `${of}:${action}`] as const),
    ),
    ...catalog.scopes.map(({ name: of }, index) => [`scopes[${index}].name`, of] as const),
  ];
  const scopes = new Set(scopeNamesOf(catalog));
  const roles = catalog.roles.map(({ name: of }, index) => [`roles[${index}].name`, of] as const);
  return [
    ...twice(names, new Set(SYSTEM_SCOPES)),
    ...twice(roles, new Set()),
    ...catalog.resources.flatMap(unknownActions),
    ...catalog.roles.flatMap(({ delegates }, index) =>
      delegates.flatMap((of, at) =>
        isDelegable(of, scopes)
          ? []
          : [`roles[${index}].delegates[${at}]: ${of} is not a scope of this catalogue`],
      ),
    ),
    ...administratorFaults(catalog),
    ...renamedFaults(catalog, scopes),
  ];
}

type Named = readonly (readonly [place: string, name: string])[];

function twice(named: Named, taken: Set<string>): string[] {
  return named.flatMap(([place, of]) => {
    const isNamed = of !== '' && !of.startsWith(':');
    if (isNamed && taken.has(of)) return [`${place}: ${of} exists already`];
    taken.add(of);
    return [];
  });
}

function unknownActions(of: Skeleton['resources'][number], index: number): string[] {
  return (['public', 'basic'] as const).flatMap((member) =>
    (of[member] ?? [])
      .filter((action) => !of.actions.includes(action))
      .map(
        (action) =>
          `resources[${index}].${member}: ${of.name || 'the resource'} has no action ${action}`,
      ),
  );
}

function isDelegable(of: string, scopes: ReadonlySet<string>): boolean {
  if (!of.startsWith('*:')) return of === '' || scopes.has(of);
  return ACTIONS.some((action) => of === `*:${action}`);
}

function administratorFaults({ roles }: Skeleton): string[] {
  const count = roles.filter(({ administers }) => administers).length;
  return count === 1 ? [] : [`roles: exactly one role administers, not ${count}`];
}

function renamedFaults({ renamed, roles }: Skeleton, scopes: ReadonlySet<string>) {
  const isRole = (of: string) => roles.some(({ name: known }) => known === of);
  return Object.entries(renamed).flatMap(([former, today]) => {
    const place = `renamed[${JSON.stringify(former)}]`;
    if (scopes.has(former) || isRole(former)) return [`${place}: ${former} still exists`];
    if (today !== '' && !scopes.has(today) && !isRole(today)) {
      return [`${place}: ${today} is neither a scope nor a role of this catalogue`];
    }
    return [];
  });
}
