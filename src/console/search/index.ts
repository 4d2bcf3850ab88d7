import type { DataSource, EntityManager } from 'typeorm';

import { type ApiKeys, managesKeys, visibleKinds } from '../../api-keys/index.js';
import { createCredentialStore } from '../../credentials/index.js';
import { ENVIRONMENTS } from '../../credentials/kinds.js';
import { searchApps } from '../../grants/index.js';
import { singleValue } from '../../http/body/form.js';
import { isSingleLine } from '../../http/body/text.js';
import type { Pagination } from '../../http/pagination.js';
import { APP, LIST } from '../connected-apps/paths.js';
import { API_KEYS, MACHINE_CREDENTIALS, PERSONAL_TOKENS } from '../keys/key-section.js';
import { listMembers } from '../members/member-list.js';
import { MEMBER, MEMBERS } from '../members/paths.js';
import { pagesFor } from '../navigation.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import {
  groupsFor,
  wordsOf,
  type CopyableKey,
  type FoundGroup,
  type FoundItem,
} from './search-view.js';
import { isAdministrator, isOverseer, titleOf } from '../../scopes/roles.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly showPage: ShowPage;
  readonly pagination: Pagination;
  readonly keys: Pick<ApiKeys, 'present'>;
  readonly config: { readonly ISSUER: string };
}

const SEARCH = '/settings/search';
const MAX_QUERY = 100;
/** Things of a kind that one search shows. */
const MAX_FOUND = 5;

/** `/settings/search`: what the command palette finds, as a page. The palette's script reads the same page. */
export function createSearchPages(dependencies: Dependencies): SettingsRoute[] {
  const { showPage } = dependencies;
  const { ISSUER: issuer } = dependencies.config;
  return [
    {
      method: 'GET',
      path: SEARCH,
      access: { page: '/settings/tokens' },
      async handle(ctx) {
        const at = ctx.state.organization;
        const query = queryOf(ctx);
        const cursor = singleValue(new URLSearchParams(ctx.querystring), 'cursor');
        const found = query === '' ? [] : await find(dependencies, at, query, cursor);
        const groups =
          cursor === undefined
            ? groupsFor(query, {
                at,
                issuer,
                pages: pagesFor(at.role),
                memberships: ctx.state.visitor.memberships,
                publishable: await publishableKeys(dependencies, at),
                found,
              })
            : found.filter(({ items }) => items.length > 0);
        showPage(ctx, 'search', {
          title: 'Search',
          query,
          groups,
          all: at.href(SEARCH),
          kept: [
            { name: 'tenant', value: at.tenantSlug },
            { name: 'env', value: at.environment },
          ],
        });
      },
    },
  ];
}

/** The typed text, cut to a bounded length; empty for one that no name could hold. */
function queryOf(ctx: SettingsContext): string {
  const typed = singleValue(new URLSearchParams(ctx.querystring), 'q') ?? '';
  const query = typed.slice(0, MAX_QUERY).trim();
  return isSingleLine(query) ? query : '';
}

async function publishableKeys(
  { dataSource, keys }: Dependencies,
  { tenantId, environment }: OrganizationContext,
): Promise<readonly CopyableKey[]> {
  const { found } = await createCredentialStore(dataSource.manager).list(
    tenantId,
    { kinds: ['publishable'], environments: [environment], status: 'active' },
    { limit: MAX_FOUND, after: undefined },
  );
  return found.slice(0, MAX_FOUND).flatMap((found) => {
    const { key } = keys.present(found);
    return key === undefined ? [] : [{ name: found.name, key }];
  });
}

/**
 * Keys by name or last four, members and apps, as far as the role sees them.
 *
 * @param cursor continues a search for apps
 * @throws Problem `bad_request` for a cursor of another search
 */
async function find(
  dependencies: Dependencies,
  at: OrganizationContext,
  query: string,
  cursor: string | undefined,
): Promise<readonly FoundGroup[]> {
  const { manager } = dependencies.dataSource;
  const apps = async () => ({
    title: 'Connected apps',
    items: await findApps(dependencies, at, query, cursor),
  });
  if (cursor !== undefined) return [await apps()];
  const [keys, tokens, members, connected] = await Promise.all([
    findKeys(manager, at, query),
    findTokens(manager, at, query),
    findMembers(manager, at, query),
    apps(),
  ]);
  return [
    { title: 'Keys', items: keys },
    { title: PERSONAL_TOKENS.title, items: tokens },
    { title: 'Members', items: members },
    connected,
  ];
}

async function findKeys(
  manager: EntityManager,
  { tenantId, role, environment, href }: OrganizationContext,
  search: string,
): Promise<readonly FoundItem[]> {
  const filter = { kinds: visibleKinds(role), environments: [environment], search };
  const asked = { search, status: 'all' };
  const page = { limit: MAX_FOUND, after: undefined };
  const { found, resumeAfter } = await createCredentialStore(manager).list(tenantId, filter, page);
  const keys = found.slice(0, MAX_FOUND).map(({ id, name, maskedKey, kind, status }) => {
    const isMachine = kind === 'service' || kind === 'agent';
    const list = isMachine ? '/settings/machine-credentials' : '/settings/api-keys';
    // Only those who manage keys may open the page of one. Others see it in the list.
    const page = managesKeys(role)
      ? href(`${list}/${id}`)
      : href(list, { search: id, ...(status !== 'active' && { status }) });
    // A secret key is found, never copied.
    return { text: name, hint: `${maskedKey} · ${status}`, href: page };
  });
  if (found.length <= MAX_FOUND && resumeAfter === undefined) return keys;
  const sections = [API_KEYS, MACHINE_CREDENTIALS].filter(({ kinds }) =>
    kinds.some((kind) => filter.kinds.includes(kind)),
  );
  return [...keys, ...sections.map((section) => inList(section.title, href(section.path, asked)))];
}

/** Leads to a list that is narrowed to what was typed. */
function inList(title: string, address: string): FoundItem {
  return { text: `More in ${title}`, hint: 'search the list', href: address };
}

/** The visitor's own personal tokens, which are the same in live and test. */
async function findTokens(
  manager: EntityManager,
  { tenantId, accountId, href }: OrganizationContext,
  search: string,
): Promise<readonly FoundItem[]> {
  const { path, kinds } = PERSONAL_TOKENS;
  const filter = { kinds, environments: ENVIRONMENTS, accountId, search };
  const page = { limit: MAX_FOUND, after: undefined };
  const { found, resumeAfter } = await createCredentialStore(manager).list(tenantId, filter, page);
  const tokens = found.slice(0, MAX_FOUND).map(({ id, name, maskedKey, status }) => ({
    text: name,
    hint: `${maskedKey} · ${status} · personal access token`,
    href: href(`${path}/${id}`),
  }));
  if (found.length <= MAX_FOUND && resumeAfter === undefined) return tokens;
  return [...tokens, inList(PERSONAL_TOKENS.title, href(path, { search, status: 'all' }))];
}

async function findMembers(
  manager: EntityManager,
  { tenantId, role, href }: OrganizationContext,
  search: string,
): Promise<readonly FoundItem[]> {
  const isNameOnly = !isOverseer(role);
  const { members, next } = await listMembers(manager, tenantId, {
    search,
    after: undefined,
    isNameOnly,
  });
  const found = members.slice(0, MAX_FOUND).map(({ id, name, email, role: theirs }) => {
    const page = isAdministrator(role)
      ? href(MEMBER.replace(':id', id))
      : href(MEMBERS, { q: search });
    if (isNameOnly) return { text: name ?? '', hint: 'member', href: page };
    return { text: name ?? email, hint: `${email} · ${titleOf(theirs)}`, href: page };
  });
  if (members.length <= MAX_FOUND && next === undefined) return found;
  return [...found, inList('Members', href(MEMBERS, { q: search }))];
}

/** Administrators find the apps of everybody in the organization, others their own. */
async function findApps(
  { dataSource, pagination }: Dependencies,
  { tenantId, accountId, role, href }: OrganizationContext,
  query: string,
  cursor: string | undefined,
): Promise<readonly FoundItem[]> {
  const isAdmin = isAdministrator(role);
  const list = ['page-search-apps', tenantId, isAdmin ? '' : accountId, query];
  const { after } = pagination.readText({ limit: MAX_FOUND, cursor }, list);
  const { found, resumeAfter, isCutShort } = await searchApps(dataSource.manager, {
    tenantId,
    accountId: isAdmin ? undefined : accountId,
    words: wordsOf(query),
    limit: MAX_FOUND,
    after,
  });
  const apps: FoundItem[] = found.map(({ clientId, name }) => ({
    text: name,
    hint: 'connected app',
    href: href(APP, { client: clientId }),
  }));
  if (isCutShort) apps.push(inList('Connected apps', href(LIST)));
  if (resumeAfter === undefined) return apps;
  const further = { q: query, cursor: pagination.cursorText(resumeAfter, list) };
  return [...apps, { text: 'More connected apps', hint: 'search on', href: href(SEARCH, further) }];
}
