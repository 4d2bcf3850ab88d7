import type { DataSource } from 'typeorm';

import { factsOf, type KeyKind } from '../../credentials/kinds.js';
import type { Keyring } from '../../credentials/index.js';
import type { Signer } from '../../http/pagination.js';
import type { RouteContext } from '../../http/context.js';
import type { OrganizationContext } from '../organization-context.js';
import { readBoard, type BoardFilter, type BoardPart } from './key-board.js';
import { filtersOf, namesOf, readAsked, UNUSED_DAYS } from './key-filters.js';
import { rowOf } from './key-rows.js';
import { KIND_WORDS, kindsSeen, mayManage, type KeySection } from './key-section.js';
import type { KeyPart, KeysPage } from './key-views.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Pick<Keyring, 'open'> & Signer;
  /** `CORS_ALLOWED_ORIGINS` */
  readonly origins: readonly string[];
}

const DONE: ReadonlyMap<string, (noun: string) => string> = new Map([
  ['made', (noun) => `The ${noun} is made. Its row is marked below.`],
  ['revoked', (noun) => `The ${noun} is revoked. Requests that use it are refused from now on.`],
]);

/** Makes the list of keys of a section, with filters and pages in its address. */
export async function showKeys(
  { dataSource, keyring, origins }: Dependencies,
  section: KeySection,
  at: OrganizationContext,
  ctx: Pick<RouteContext, 'querystring'>,
): Promise<KeysPage & { readonly title: string }> {
  const query = new URLSearchParams(ctx.querystring);
  const seen = kindsSeen(section, at.role);
  const asked = readAsked(query, seen);
  const kinds = asked.kind === undefined ? seen : [asked.kind];
  const after = readCursor(keyring, at, query.get('cursor'), kinds);
  const filter: BoardFilter = {
    tenantId: at.tenantId,
    environment: at.environment,
    accountId: section.isOwn ? at.accountId : undefined,
    status: asked.status === 'all' ? undefined : asked.status,
    search: asked.search,
    scope: asked.scope,
    space: asked.space,
    creator: mayManage(section, at.role) ? asked.creator : undefined,
    unusedDays: asked.isUnused ? UNUSED_DAYS : undefined,
  };
  const board = await readBoard(dataSource.manager, filter, kinds, after);
  const context = { now: Date.now(), fresh: query.get('fresh') ?? undefined };
  const href = (more: Readonly<Record<string, string>>) =>
    at.href(section.path, { ...namesOf(asked), ...more });
  const parts = board.parts.map((part): KeyPart => ({
    kind: part.kind,
    title: KIND_WORDS[part.kind].plural,
    lead: KIND_WORDS[part.kind].lead,
    isReadable: factsOf(part.kind).isReadable,
    rows: part.keys.map((key) => rowOf(keyring, at, section, board, part.kind, key, context)),
    count: countOf(part, section.noun),
    first: part.kind in after ? href({ kind: part.kind }) : undefined,
    next:
      part.next === undefined
        ? undefined
        : href({ kind: part.kind, cursor: cursorOf(keyring, at, part.kind, part.next) }),
  }));
  const isManager = mayManage(section, at.role);
  const create = { text: section.create, href: at.href(`${section.path}/new`) };
  const primary = isManager && !at.isSuspended ? create : undefined;
  const isEmpty = parts.every(({ rows }) => rows.length === 0);
  const isFiltered = Object.keys(namesOf(asked)).length > 0;
  const hasKeys = board.parts.some((part) => part.hasKeys);
  return {
    title: section.title,
    header: { title: section.title, lead: section.lead, primary },
    notice: DONE.get(query.get('done') ?? '')?.(section.noun),
    filters: isFiltered || hasKeys ? filtersOf(section, at, seen, asked, board) : undefined,
    parts: isEmpty ? [] : parts.filter(({ rows, kind }) => rows.length > 0 || kind === asked.kind),
    empty: isEmpty ? emptyState(section, at, { isFiltered, hasKeys }, primary) : undefined,
    isOwn: section.isOwn,
    isForMachines: section.kinds.includes('service'),
    origins,
  };
}

function signedPosition(at: OrganizationContext, kind: KeyKind, position: string): string {
  const owner = kind === 'personal' ? at.accountId : at.environment;
  return JSON.stringify(['console-keys', at.tenantId, owner, kind, position]);
}

function cursorOf(signer: Signer, at: OrganizationContext, kind: KeyKind, position: string) {
  return `${position}.${signer.sign(signedPosition(at, kind, position))}`;
}

/** A cursor that was altered, or belongs to another list, leads to the first page. */
function readCursor(
  signer: Signer,
  at: OrganizationContext,
  cursor: string | null,
  [kind]: readonly KeyKind[],
): Partial<Record<KeyKind, string>> {
  const [, position = '', mac = ''] = /^(\d{1,18})\.(\w+)$/.exec(cursor ?? '') ?? [];
  if (kind === undefined || position === '') return {};
  return signer.isSigned(signedPosition(at, kind, position), mac) ? { [kind]: position } : {};
}

function countOf({ count, isCountCut, keys }: BoardPart, one: KeySection['noun']): string {
  const number = `${count.toLocaleString('en')}${isCountCut ? '+' : ''}`;
  const noun = count === 1 && !isCountCut ? one : `${one}s`;
  return keys.length === count ? `${number} ${noun}` : `${keys.length} of ${number} ${noun}`;
}

function emptyState(
  section: KeySection,
  at: OrganizationContext,
  { isFiltered, hasKeys }: { readonly isFiltered: boolean; readonly hasKeys: boolean },
  primary: KeysPage['header']['primary'],
): KeysPage['empty'] {
  if (isFiltered) {
    const links = [{ text: 'Clear the filters', href: at.href(section.path) }];
    const text = `No ${section.noun} matches these filters.`;
    return { title: 'Nothing matches', text, primary: undefined, links };
  }
  if (hasKeys) {
    const links = [{ text: 'Show all', href: at.href(section.path, { status: 'all' }) }];
    const text = `Every ${section.noun} has expired or was revoked.`;
    return { title: `No active ${section.noun}s`, text, primary, links };
  }
  // Nothing can be created while the organization is suspended, as the layout says.
  const text = at.isSuspended ? undefined : section.empty.text;
  return { title: section.empty.title, text, primary, links: [] };
}
