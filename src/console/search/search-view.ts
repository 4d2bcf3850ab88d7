import type { Environment } from '../../credentials/kinds.js';
import { type ConsolePage } from '../navigation.js';
import { isAdministrator, titleOf } from '../../scopes/roles.js';
import { addressIn, type OrganizationContext } from '../organization-context.js';

/** Something that the palette finds: a page to open, or a text to copy. */
export interface FoundItem {
  readonly text: string;
  readonly hint: string;
  readonly href?: string;
  /** Never the secret of a key. */
  readonly copy?: string;
}

export interface FoundGroup {
  readonly title: string;
  readonly items: readonly FoundItem[];
}

/** `/settings/search`: the list of the command palette. Submits `q`. */
export interface SearchPage {
  /** Hidden fields of the form, which keep organization and environment. */
  readonly kept: readonly { readonly name: string; readonly value: string }[];
  readonly query: string;
  readonly groups: readonly FoundGroup[];
  /** The page without a query. */
  readonly all: string;
}

/** Items of a group of pages at most, so many that all are shown. Each search limits its results itself. */
const MAX_ITEMS = 15;

/** A publishable key, which may be copied. */
export interface CopyableKey {
  readonly name: string;
  readonly key: string;
}

interface Membership {
  readonly tenantId: string;
  readonly tenantName: string;
  readonly tenantSlug: string;
  readonly role: Parameters<typeof titleOf>[0];
}

/** The things that there are, before they are compared with what was typed. */
export interface Searchable {
  readonly at: OrganizationContext;
  readonly issuer: string;
  readonly pages: readonly ConsolePage[];
  readonly memberships: readonly Membership[];
  readonly publishable: readonly CopyableKey[];
  /** Keys, members and apps that match already. */
  readonly found: readonly FoundGroup[];
}

/** The groups of the palette for what was typed. */
export function groupsFor(query: string, searchable: Searchable): readonly FoundGroup[] {
  const { at, issuer, pages, publishable, found } = searchable;
  const matching = (items: readonly FoundItem[]) =>
    items.filter(({ text, hint }) => isMatch(`${text} ${hint}`, query)).slice(0, MAX_ITEMS);
  const copy: FoundItem[] = [
    ...publishable.map(({ name, key }) => ({
      text: `Copy public API key: ${name}`,
      hint: `publishable, ${at.environment}`,
      copy: key,
    })),
    { text: 'Copy organization id', hint: at.tenantId, copy: at.tenantId },
    { text: 'Copy issuer', hint: issuer, copy: issuer },
  ];
  return [
    { title: 'Copy', items: matching(copy) },
    {
      title: 'Go to',
      items: matching(
        pages.map(({ title, group, path }) => ({ text: title, hint: group, href: at.href(path) })),
      ),
    },
    { title: 'Create', items: matching(creations(at, pages)) },
    ...found,
    { title: 'Switch', items: matching(switches(searchable)) },
  ].filter(({ items }) => items.length > 0);
}

/** Whether every word that was typed occurs. */
function isMatch(text: string, query: string): boolean {
  const where = text.toLowerCase();
  return wordsOf(query.toLowerCase()).every((word) => where.includes(word));
}

export function wordsOf(query: string): readonly string[] {
  return query.split(/\s+/);
}

function creations(
  { role, isSuspended, href }: OrganizationContext,
  pages: readonly ConsolePage[],
): readonly FoundItem[] {
  if (isSuspended) return [];
  const has = (path: ConsolePage['path']) => pages.some((page) => page.path === path);
  const isAdmin = isAdministrator(role);
  return [
    ...(isAdmin && has('/settings/api-keys')
      ? [{ text: 'New API key', hint: 'Developers', href: href('/settings/api-keys/new') }]
      : []),
    ...(isAdmin && has('/settings/machine-credentials')
      ? [
          {
            text: 'New machine credential',
            hint: 'Developers',
            href: href('/settings/machine-credentials/new'),
          },
        ]
      : []),
    ...(has('/settings/webhooks')
      ? [{ text: 'New webhook', hint: 'Developers', href: href('/settings/webhooks/new') }]
      : []),
    { text: 'New personal access token', hint: 'You', href: href('/settings/tokens/new') },
  ];
}

function switches({ at, memberships }: Searchable): readonly FoundItem[] {
  const other: Environment = at.environment === 'live' ? 'test' : 'live';
  return [
    {
      text: `Switch to ${other}`,
      hint: 'environment',
      href: addressIn(at.tenantSlug, other, '/settings'),
    },
    ...memberships
      .filter(({ tenantId }) => tenantId !== at.tenantId)
      .map(({ tenantName, tenantSlug, role }) => ({
        text: `Switch to ${tenantName}`,
        hint: titleOf(role),
        href: addressIn(tenantSlug, at.environment, '/settings'),
      })),
  ];
}
