import { CREDENTIAL_STATUSES, type KeyKind } from '../../credentials/kinds.js';
import { compareNames } from '../../http/pages/natural-order.js';
import { KEY_SCOPES } from '../../scopes/catalog.js';
import type { OrganizationContext } from '../organization-context.js';
import type { Board } from './key-board.js';
import { KIND_WORDS, mayManage, type KeySection } from './key-section.js';
import type { KeysPage } from './key-views.js';

export const UNUSED_DAYS = 90;

/** The filters of a page, as its address has them. */
export type Asked = ReturnType<typeof readAsked>;

/** Reads the filters of an address. Unknown values count as absent. @param seen the kinds that the visitor may see */
export function readAsked(query: URLSearchParams, seen: readonly KeyKind[]) {
  const text = (name: string) =>
    query.get(name)?.slice(0, 100).replaceAll('\0', '').trim() || undefined;
  const status = query.get('status');
  return {
    search: text('search'),
    status: ([...CREDENTIAL_STATUSES, 'all'] as const).find((name) => name === status) ?? 'active',
    kind: seen.find((kind) => kind === query.get('kind')),
    scope: KEY_SCOPES.find((scope) => scope === query.get('scope')),
    space: text('space'),
    creator: text('creator'),
    isUnused: query.get('unused') === String(UNUSED_DAYS),
  };
}

/** The filters that differ from the usual, for addresses. */
export function namesOf({ status, isUnused, ...texts }: Asked): Record<string, string> {
  const given = Object.entries(texts).filter((entry): entry is [string, string] =>
    Boolean(entry[1]),
  );
  return {
    ...Object.fromEntries(given),
    ...(status !== 'active' && { status }),
    ...(isUnused && { unused: String(UNUSED_DAYS) }),
  };
}

/** The form of the filters. Choices that would not narrow the list are left out. */
export function filtersOf(
  section: KeySection,
  at: OrganizationContext,
  seen: readonly KeyKind[],
  asked: Asked,
  board: Board,
): KeysPage['filters'] {
  const isFiltered = Object.keys(namesOf(asked)).length > 0;
  return {
    action: section.path,
    hidden: [
      { name: 'tenant', value: at.tenantSlug },
      { name: 'env', value: at.environment },
    ],
    search: asked.search ?? '',
    selects: [
      select('status', 'Status', asked.status, STATUSES),
      ...kindSelect(seen, asked),
      select('scope', 'Scope', asked.scope, [any('Any scope'), ...SCOPES]),
      ...spaceSelect(board, asked),
      ...(mayManage(section, at.role) ? creatorSelect(board, asked) : []),
    ],
    isUnused: asked.isUnused,
    clear: isFiltered ? at.href(section.path) : undefined,
  };
}

interface Option {
  readonly value: string;
  readonly text: string;
}

const STATUSES: readonly Option[] = [
  { value: 'active', text: 'Active' },
  { value: 'expired', text: 'Expired' },
  { value: 'revoked', text: 'Revoked' },
  { value: 'all', text: 'All' },
];

const SCOPES: readonly Option[] = KEY_SCOPES.map((scope) => ({ value: scope, text: scope }));

function select(
  name: string,
  label: string,
  chosen: string | undefined,
  options: readonly Option[],
) {
  return {
    name,
    label,
    options: options.map((option) => ({ ...option, isSelected: option.value === (chosen ?? '') })),
  };
}

function any(text: string): Option {
  return { value: '', text };
}

function kindSelect(seen: readonly KeyKind[], { kind }: Asked) {
  if (seen.length < 2) return [];
  const kinds = seen.map((name) => ({ value: name, text: KIND_WORDS[name].plural }));
  return [select('kind', 'Kind', kind, [any('All kinds'), ...kinds])];
}

function optionsOf(named: Board['spaces']): readonly Option[] {
  return named
    .map(({ id, name }) => ({ value: id, text: name }))
    .sort((one, other) => compareNames(one.text, other.text));
}

function spaceSelect({ spaces }: Board, { space }: Asked) {
  if (spaces.length < 2) return [];
  return [select('space', 'Space', space, [any('Any space'), ...optionsOf(spaces)])];
}

function creatorSelect({ creators }: Board, { creator }: Asked) {
  if (creators.length < 2) return [];
  return [select('creator', 'Created by', creator, [any('Anybody'), ...optionsOf(creators)])];
}
