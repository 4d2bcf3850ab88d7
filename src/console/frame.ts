import type { AccountMembership } from '../accounts/index.js';
import { ENVIRONMENTS } from '../credentials/kinds.js';
import { REFERENCE_PATH } from '../discovery/index.js';
import type { SignedInFrame } from '../http/pages/frame.js';
import { titleOf } from '../scopes/roles.js';
import { GROUPS, pagesFor, PERSONAL_PAGES, type ConsolePage } from './navigation.js';
import { addressIn, type FramedOrganization } from './organization-context.js';

interface FrameFacts {
  readonly path: string;
  readonly email: string;
  readonly csrf: string;
  readonly memberships: readonly AccountMembership[];
  /** Absent for a visitor without an organization. */
  readonly organization: FramedOrganization | undefined;
  /** Whether the page shows a form that was kept. */
  readonly isRestored: boolean;
}

/** Makes the frame of a page. */
export function createFrame(facts: FrameFacts): SignedInFrame {
  const { path, email, csrf, organization } = facts;
  const pages = pagesOf(facts);
  const current = pages.find((page) => isAt(path, page));
  return {
    email,
    csrf,
    signOut: '/logout',
    groups: groupsFor(facts, pages, current),
    organization: organization && {
      name: organization.tenantName,
      role: titleOf(organization.role),
      isSuspended: organization.isSuspended && current?.isPersonal !== true,
    },
    organizations: organization === undefined ? [] : organizationsFor(facts, organization, current),
    environments: organization === undefined ? [] : environmentsFor(organization, current),
    search: organization?.href('/settings/search'),
    isRestored: facts.isRestored,
    strip: organization?.environment === 'test' ? stripFor(current) : undefined,
  };
}

function stripFor(current: ConsolePage | undefined): string {
  return current?.hasEnvironments === true
    ? 'Test environment. Nothing here touches live data.'
    : 'Test environment. This page is the same in live and test.';
}

const API_REFERENCE = { title: 'API reference', href: REFERENCE_PATH, isCurrent: false };

function isAt(path: string, page: ConsolePage): boolean {
  return path === page.path || path.startsWith(`${page.path}/`);
}

/** The pages that the visitor may open. */
function pagesOf({ organization }: FrameFacts): readonly ConsolePage[] {
  return organization === undefined ? PERSONAL_PAGES : pagesFor(organization.role);
}

function groupsFor(
  { organization }: FrameFacts,
  pages: readonly ConsolePage[],
  current: ConsolePage | undefined,
): SignedInFrame['groups'] {
  const href = organization?.href ?? ((path: string) => path);
  return GROUPS.map((title) => ({
    title,
    pages: [
      ...pages
        .filter(({ group }) => group === title)
        .map((page) => ({ title: page.title, href: href(page.path), isCurrent: page === current })),
      ...(title === 'Developers' ? [API_REFERENCE] : []),
    ],
  })).filter(({ pages }) => pages.length > 0);
}

function organizationsFor(
  { memberships }: FrameFacts,
  { tenantId, environment }: FramedOrganization,
  current: ConsolePage | undefined,
): SignedInFrame['organizations'] {
  if (memberships.length < 2) return [];
  return memberships.map((membership) => ({
    name: membership.tenantName,
    role: titleOf(membership.role),
    href: addressIn(membership.tenantSlug, environment, pageIn(membership, current)),
    isCurrent: membership.tenantId === tenantId,
    isSuspended: membership.isTenantSuspended,
  }));
}

/** The same page in another organization, if the role there may open it. */
function pageIn({ role }: AccountMembership, current: ConsolePage | undefined): string {
  return current?.roles.includes(role) === true ? current.path : '/settings';
}

function environmentsFor(
  { tenantSlug, environment }: FramedOrganization,
  current: ConsolePage | undefined,
): SignedInFrame['environments'] {
  return ENVIRONMENTS.map((name) => ({
    title: name === 'live' ? 'Live' : 'Test',
    href: addressIn(tenantSlug, name, current?.path ?? '/settings'),
    isCurrent: name === environment,
  }));
}
