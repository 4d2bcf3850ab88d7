import type { DataSource, EntityManager } from 'typeorm';

import { ACCESS, expandAccess } from '../../api-keys/index.js';
import { factsOf, TENANT_KINDS, type KeyKind } from '../../credentials/kinds.js';
import { compareNames } from '../../http/pages/natural-order.js';
import { KEY_SCOPES, RESOURCE_SCOPES, type Scope } from '../../scopes/catalog.js';
import { delegableBy, type Role } from '../../scopes/roles.js';
import type { OrganizationContext } from '../organization-context.js';
import { nameRecords, readSuggestions, RECORD_TYPES } from './bound-records.js';
import { BINDING_ROWS, LIFETIMES, type KeyFormErrors, type KeyFormValues } from './key-form.js';
import { KIND_WORDS, kindsSeen, mayManage, type KeySection } from './key-section.js';
import type { FormScope, NewKeyPage } from './key-views.js';
import { matrixOf, othersOf, type ScopeCell } from './scope-words.js';

interface Dependencies {
  readonly dataSource: DataSource;
  /** `RATE_LIMIT_KEY_PER_MINUTE` */
  readonly defaultRateLimit: number;
}

/** Makes the page of the form for a new key. */
export async function showNewKey(
  { dataSource, defaultRateLimit }: Dependencies,
  section: KeySection,
  at: OrganizationContext,
  values: KeyFormValues,
  errors: KeyFormErrors = {},
): Promise<NewKeyPage & { readonly title: string }> {
  const kinds = mayManage(section, at.role) ? kindsSeen(section, at.role) : [];
  const boundKinds = kinds.filter((kind) => factsOf(kind).takesBindings);
  const { manager } = dataSource;
  const spaces = await manager.query<{ id: string; name: string }[]>(SPACES, [at.tenantId]);
  return {
    title: section.create,
    header: {
      title: section.create,
      crumbs: [{ text: section.title, href: at.href(section.path) }],
    },
    action: at.href(`${section.path}/new`),
    back: at.href(section.path),
    noun: section.noun,
    values,
    errors,
    access: section.isOwn ? accessChoices(values, at.role) : [],
    kinds: kinds.map((value) => ({
      value,
      title: KIND_WORDS[value].title,
      sentence: KIND_WORDS[value].sentence,
      isSelected: value === values.kind,
    })),
    ...scopesToChoose(values, at.role),
    summary: summaryOf(scopesOf(values, at.role)),
    spaces: spaces
      .sort((one, other) => compareNames(one.name, other.name))
      .map((space) => ({ ...space, isTicked: values.spaces.includes(space.id) })),
    address: at.actor.address ?? '',
    lifetimes: LIFETIMES.map((option) => ({
      ...option,
      isSelected: option.value === values.expires,
    })),
    defaultLimit:
      defaultRateLimit === 0 ? 'no limit' : `${defaultRateLimit.toLocaleString('en')} a minute`,
    hasLimit: !section.isOwn,
    boundKinds,
    ...(await bindingsOf(manager, at, values, boundKinds.length > 0)),
  };
}

const NO_RECORD = { type: '', id: '', name: undefined };

/** The rows for bindings, with the names of their records, and what they can be. */
async function bindingsOf(
  manager: EntityManager,
  { tenantId }: OrganizationContext,
  { environment, bindings }: KeyFormValues,
  isShown: boolean,
): Promise<Pick<NewKeyPage, 'bindingRows' | 'recordTypes' | 'records'>> {
  if (!isShown) return { bindingRows: [], recordTypes: [], records: [] };
  const named = await nameRecords(manager, tenantId, environment, bindings);
  return {
    bindingRows: Array.from({ length: BINDING_ROWS }, (_, index) => named[index] ?? NO_RECORD),
    recordTypes: RECORD_TYPES,
    records: await readSuggestions(manager, tenantId, environment),
  };
}

const SPACES = 'SELECT id, name FROM spaces WHERE tenant_id = $1 LIMIT 1000';

const ACCESS_WORDS = {
  read: { title: 'Read', text: 'See everything that your role lets you see, and change nothing.' },
  write: { title: 'Write', text: 'Do everything that your role lets you do, deleting included.' },
} as const;

const MANAGES_KEYS = 'That includes managing the keys of the organization.';

/** The choices of access for a personal token, with the scopes that each stands for. */
function accessChoices({ kind, access }: KeyFormValues, role: Role): NewKeyPage['access'] {
  const whole = ACCESS.map((value) => {
    const scopes = expandAccess(value, kind, delegableBy(role));
    const { title, text } = ACCESS_WORDS[value];
    const isManaging = scopes.includes('api_keys:manage');
    return { value, title, text: isManaging ? `${text} ${MANAGES_KEYS}` : text, scopes };
  });
  const some = { value: 'some', title: 'Chosen scopes', text: 'Only what is ticked below.' };
  return [...whole, { ...some, scopes: [] }].map((choice) => ({
    ...choice,
    isSelected: choice.value === access,
  }));
}

/** The scopes that the form offers. `offline_access` means nothing on a key: it lets apps refresh their tokens. */
const OFFERED = KEY_SCOPES.filter((scope) => scope !== 'offline_access');

/** The scopes that the form asks for, among those that it offers. */
function scopesOf({ kind, access, scopes }: KeyFormValues, role: Role): readonly Scope[] {
  if (kind !== 'personal' || access === 'some') return scopes;
  return offeredFor(access, kind, role);
}

function offeredFor(access: (typeof ACCESS)[number], kind: KeyKind, role: Role): readonly Scope[] {
  return expandAccess(access, kind, delegableBy(role)).filter((scope) => OFFERED.includes(scope));
}

/**
 * Scopes that are ticked beside another choice of access would be given and more. Without scripts nothing corrects that,
 * so the form is refused.
 */
export function accessFault(values: KeyFormValues, role: Role): string | undefined {
  const asked = scopesOf(values, role);
  const { scopes } = values;
  const isSame = asked.length === scopes.length && asked.every((scope) => scopes.includes(scope));
  if (scopes.length === 0 || isSame) return undefined;
  return 'Single scopes are ticked below. Select “Chosen scopes” to give these only, or untick them.';
}

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

/** The scopes of the form, as a matrix and beside it, and the reasons why boxes cannot be ticked. */
function scopesToChoose(
  values: KeyFormValues,
  role: Role,
): Pick<NewKeyPage, 'rows' | 'others' | 'reasons'> {
  const cell = cellsFor(values, role);
  const rows = matrixOf(OFFERED).map(({ title, cells }) => ({
    title,
    cells: cells.map((one) => one && cell(one)),
  }));
  const others = othersOf(OFFERED).map(({ title, cells }) => ({
    title,
    cells: cells.map(cell),
  }));
  const all = [...rows, ...others].flatMap(({ cells }) => cells);
  return { rows, others, reasons: reasonsOf(all.filter((one) => one !== undefined)) };
}

/**
 * The reasons why boxes cannot be ticked, each with its scopes. A single reason concerns every such box, and names no
 * scopes.
 */
function reasonsOf(cells: readonly FormScope[]): NewKeyPage['reasons'] {
  const scopes = new Map<string, Scope[]>();
  for (const { scope, reason } of cells) {
    if (reason !== undefined) scopes.set(reason, [...(scopes.get(reason) ?? []), scope]);
  }
  return [...scopes].map(([reason, refused]) => ({
    reason: `Grey boxes: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`,
    scopes: scopes.size > 1 ? refused : [],
  }));
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
  const possible = offeredFor('write', kind, role);
  if (preset === 'read') return offeredFor('read', kind, role);
  if (preset === 'full') return possible;
  if (preset === 'none') return [];
  return scopes.filter((scope) => possible.includes(scope));
}
