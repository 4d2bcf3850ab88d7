import type { DataSource, EntityManager } from 'typeorm';

import { type ApiKeys, managesKeys, visibleKinds } from '../../api-keys/index.js';
import { createCredentialStore } from '../../credentials/index.js';
import { ENVIRONMENTS } from '../../credentials/kinds.js';
import { findGrants } from '../../grants/index.js';
import { singleValue } from '../../http/body/form.js';
import { isSingleLine } from '../../http/body/text.js';
import { PERSONAL_TOKENS } from '../keys/key-section.js';
import { listMembers } from '../members/member-list.js';
import { MEMBER, MEMBERS } from '../members/paths.js';
import { pagesFor } from '../navigation.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { groupsFor, isMatch, type CopyableKey, type FoundItem } from './search-view.js';
import { isAdministrator, isOverseer, titleOf } from '../../scopes/roles.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly showPage: ShowPage;
  readonly keys: Pick<ApiKeys, 'present'>;
  readonly config: { readonly ISSUER: string };
}

const SEARCH = '/settings/search';
const MAX_QUERY = 100;
/** Things of a kind that one search looks at or shows. */
const MAX_EXAMINED = 100;
const MAX_FOUND = 5;

/** `/settings/search`: what the command palette finds, as a page. The palette's script reads the same page. */
export function createSearchPages(dependencies: Dependencies): SettingsRoute[] {
  const { dataSource, showPage } = dependencies;
  const { ISSUER: issuer } = dependencies.config;
  return [
    {
      method: 'GET',
      path: SEARCH,
      access: { page: '/settings/tokens' },
      async handle(ctx) {
        const at = ctx.state.organization;
        const query = queryOf(ctx);
        const groups = groupsFor(query, {
          at,
          issuer,
          pages: pagesFor(at.role),
          memberships: ctx.state.visitor.memberships,
          publishable: await publishableKeys(dependencies, at),
          found: query === '' ? [] : await find(dataSource.manager, at, query),
        });
        showPage(ctx, 'search', {
          title: 'Search',
          query,
          groups,
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

/** Keys by name or last four, members and apps, as far as the role sees them. */
async function find(
  manager: EntityManager,
  at: OrganizationContext,
  query: string,
): Promise<readonly FoundItem[]> {
  const isAdmin = isAdministrator(at.role);
  const [keys, tokens, members, apps] = await Promise.all([
    findKeys(manager, at, query),
    findTokens(manager, at, query),
    findMembers(manager, at, query),
    findApps(manager, at, query, isAdmin),
  ]);
  return [...keys, ...tokens, ...members, ...apps];
}

async function findKeys(
  manager: EntityManager,
  { tenantId, role, environment, href }: OrganizationContext,
  search: string,
): Promise<readonly FoundItem[]> {
  const filter = { kinds: visibleKinds(role), environments: [environment], search };
  const page = { limit: MAX_FOUND, after: undefined };
  const { found } = await createCredentialStore(manager).list(tenantId, filter, page);
  return found.slice(0, MAX_FOUND).map(({ id, name, maskedKey, kind, status }) => {
    const isMachine = kind === 'service' || kind === 'agent';
    const list = isMachine ? '/settings/machine-credentials' : '/settings/api-keys';
    // Only those who manage keys may open the page of one. Others see it in the list.
    const page = managesKeys(role)
      ? href(`${list}/${id}`)
      : href(list, { search: id, ...(status !== 'active' && { status }) });
    // A secret key is found, never copied.
    return { text: name, hint: `${maskedKey} · ${status}`, href: page };
  });
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
  const { found } = await createCredentialStore(manager).list(tenantId, filter, page);
  return found.slice(0, MAX_FOUND).map(({ id, name, maskedKey, status }) => ({
    text: name,
    hint: `${maskedKey} · ${status} · personal access token`,
    href: href(`${path}/${id}`),
  }));
}

async function findMembers(
  manager: EntityManager,
  { tenantId, role, href }: OrganizationContext,
  search: string,
): Promise<readonly FoundItem[]> {
  const isNameOnly = !isOverseer(role);
  const { members } = await listMembers(manager, tenantId, {
    search,
    after: undefined,
    isNameOnly,
  });
  return members.slice(0, MAX_FOUND).map(({ id, name, email, role: theirs }) => {
    const page = isAdministrator(role)
      ? href(MEMBER.replace(':id', id))
      : href(MEMBERS, { q: search });
    if (isNameOnly) return { text: name ?? '', hint: 'member', href: page };
    return { text: name ?? email, hint: `${email} · ${titleOf(theirs)}`, href: page };
  });
}

async function findApps(
  manager: EntityManager,
  { tenantId, accountId, href }: OrganizationContext,
  query: string,
  isAdmin: boolean,
): Promise<readonly FoundItem[]> {
  const { found } = await findGrants(
    manager,
    isAdmin ? { tenantId, isActive: true } : { tenantId, accountId, isActive: true },
    { limit: MAX_EXAMINED, after: undefined },
  );
  const apps = new Map(found.map(({ clientId, clientName }) => [clientId, clientName]));
  return [...apps]
    .filter(([, name]) => isMatch(name, query))
    .slice(0, MAX_FOUND)
    .map(([client, name]) => ({
      text: name,
      hint: 'connected app',
      href: href('/settings/connected-apps/app', { client }),
    }));
}
