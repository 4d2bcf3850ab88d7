import type { DataSource } from 'typeorm';

import { managesKeys } from '../../api-keys/index.js';
import { factsOf, TENANT_KINDS } from '../../credentials/kinds.js';
import { KEY_SCOPES, RESOURCE_SCOPES, type Scope } from '../../scopes/catalog.js';
import { delegableBy, type Role } from '../../scopes/roles.js';
import type { OrganizationContext } from '../organization-context.js';
import { BINDING_ROWS, LIFETIMES, type KeyFormErrors, type KeyFormValues } from './key-form.js';
import { KIND_WORDS, kindsSeen, type KeySection } from './key-section.js';
import type { FormScope, NewKeyPage } from './key-views.js';
import { matrixOf, othersOf, type ScopeCell } from './scope-words.js';

interface Dependencies {
  readonly dataSource: DataSource;
  /** `RATE_LIMIT_KEY_PER_MINUTE` */
  readonly defaultRateLimit: number;
}

/** Records that agents can be bound to, for the suggestions of the form. */
const MAX_RECORDS = 200;

/** Makes the page of the form for a new key. */
export async function showNewKey(
  { dataSource, defaultRateLimit }: Dependencies,
  section: KeySection,
  at: OrganizationContext,
  values: KeyFormValues,
  errors: KeyFormErrors = {},
): Promise<NewKeyPage & { readonly title: string }> {
  const kinds = managesKeys(at.role) ? kindsSeen(section, at.role) : [];
  const { takesBindings } = factsOf(values.kind);
  const [lists] = await dataSource.manager.query<
    [{ spaces: { id: string; name: string }[]; records: { id: string; name: string }[] }]
  >(LISTS, [at.tenantId, takesBindings ? MAX_RECORDS : 0, values.environment]);
  const cell = cellsFor(values, at.role);
  const offered: readonly Scope[] = KEY_SCOPES;
  return {
    title: section.create,
    header: {
      title: section.create,
      crumbs: [{ text: section.title, href: at.href(section.path) }],
    },
    action: at.href(`${section.path}/new`),
    back: at.href(section.path),
    values,
    errors,
    kinds: kinds.map((value) => ({
      value,
      title: KIND_WORDS[value].title,
      sentence: KIND_WORDS[value].sentence,
      isSelected: value === values.kind,
    })),
    rows: matrixOf(offered).map(({ title, cells }) => ({
      title,
      cells: cells.map((one) => one && cell(one)),
    })),
    others: othersOf(offered).map(({ title, cells }) => ({ title, cells: cells.map(cell) })),
    summary: summaryOf(values.scopes),
    spaces: lists.spaces.map((space) => ({ ...space, isTicked: values.spaces.includes(space.id) })),
    address: at.actor.address ?? '',
    lifetimes: LIFETIMES.map((option) => ({
      ...option,
      isSelected: option.value === values.expires,
    })),
    defaultLimit:
      defaultRateLimit === 0 ? 'no limit' : `${defaultRateLimit.toLocaleString('en')} a minute`,
    takesBindings,
    bindingRows: Array.from(
      { length: BINDING_ROWS },
      (_, index) => values.bindings[index] ?? { type: '', id: '' },
    ),
    records: lists.records,
  };
}

const LISTS = `
  SELECT (SELECT coalesce(json_agg(s), '[]') FROM (
      SELECT id, name FROM spaces WHERE tenant_id = $1 ORDER BY lower(name) LIMIT 1000) AS s) AS spaces,
    (SELECT coalesce(json_agg(r), '[]') FROM (
      (SELECT p.id::text, 'products: ' || p.name AS name FROM products p
        WHERE p.tenant_id = $1 AND p.environment = $3 AND p.deleted_at IS NULL LIMIT $2)
      UNION ALL
      (SELECT c.id::text, 'contacts: ' || coalesce(nullif(concat_ws(' ', c.first_name, c.last_name), ''),
          c.company_name, c.email, '') AS name
        FROM contacts c
        WHERE c.tenant_id = $1 AND c.environment = $3 AND c.deleted_at IS NULL LIMIT $2)) AS r) AS records`;

/** A scope of the form: whether it is ticked, and why it cannot be. */
function cellsFor({ kind, scopes }: KeyFormValues, role: Role): (cell: ScopeCell) => FormScope {
  const { carries, isReadable } = factsOf(kind);
  const grantable = delegableBy(role);
  const reasonFor = (scope: Scope): string | undefined => {
    if (!carries.includes(scope)) {
      return isReadable
        ? 'Not for publishable keys: anybody can read them.'
        : `Not for this kind: ${KIND_WORDS[kind].title.toLowerCase()}.`;
    }
    return grantable.includes(scope) ? undefined : 'Your role cannot give this.';
  };
  return (cell) => ({
    ...cell,
    isTicked: scopes.includes(cell.scope),
    kinds: TENANT_KINDS.filter((name) => factsOf(name).carries.includes(cell.scope)).join(' '),
    reason: reasonFor(cell.scope),
  });
}

/** Scopes in words, such as `Reads 3 kinds of records and changes 2.` */
function summaryOf(scopes: readonly Scope[]): string {
  const counted = (['read', 'write', 'delete'] as const).map(
    (action) =>
      RESOURCE_SCOPES.filter((scope) => scope.endsWith(`:${action}`) && scopes.includes(scope))
        .length,
  );
  const [read = 0, write = 0, remove = 0] = counted;
  const others = scopes.length - read - write - remove;
  const kinds = (count: number) => `${count} ${count === 1 ? 'kind' : 'kinds'} of records`;
  const parts = [
    ...(read > 0 ? [`reads ${kinds(read)}`] : []),
    ...(write > 0 ? [`creates and changes ${kinds(write)}`] : []),
    ...(remove > 0 ? [`deletes ${kinds(remove)}`] : []),
    ...(others > 0 ? [`has ${others} other ${others === 1 ? 'scope' : 'scopes'}`] : []),
  ];
  if (parts.length === 0) return 'Nothing is chosen yet.';
  const list = new Intl.ListFormat('en', { type: 'conjunction' }).format(parts);
  return `It ${list}.`;
}

/** The scopes of a preset, as far as the kind carries and the role gives them. */
export function presetOf(
  preset: string | null,
  { kind, scopes }: Pick<KeyFormValues, 'kind' | 'scopes'>,
  role: Role,
): readonly Scope[] {
  const { carries } = factsOf(kind);
  const possible = delegableBy(role).filter((scope) => carries.includes(scope));
  if (preset === 'read') return possible.filter((scope) => scope.endsWith(':read'));
  if (preset === 'full') return possible;
  if (preset === 'none') return [];
  return scopes.filter((scope) => possible.includes(scope));
}
