import type { BlockedClient } from '../../clients/index.js';
import type { App } from '../../connected-apps/index.js';
import type { ListedGrant } from '../../grants/index.js';
import { describeRedirect } from '../../http/redirect-target.js';
import { scopeFacts, type Scope } from '../../scopes/catalog.js';
import { ago, type Moment } from '../moments.js';

/** An installation of an app as lists show it. */
export interface ShownInstallation {
  readonly name: string;
  /** The path of the app's logo. */
  readonly logo: string | undefined;
  readonly isVerified: boolean;
  readonly redirectHost: string;
  /** Absent in lists of the visitor's own. */
  readonly person: { readonly name: string; readonly email: string } | undefined;
  /** Absent in lists of one organization. */
  readonly organization: string | undefined;
  /** Such as `contacts: read · +3`. */
  readonly summary: string;
  /** One sentence for each scope. */
  readonly sentences: readonly string[];
  readonly allowed: Moment;
  readonly lastUsed: Moment | undefined;
  readonly lastUsedAddress: string | undefined;
  /** The page of the app; absent where the visitor may not open it. */
  readonly app: string | undefined;
  /** The page that ends it; absent while the organization is suspended. */
  readonly end: string | undefined;
}

export interface Tab {
  readonly text: string;
  readonly href: string;
  readonly isCurrent: boolean;
}

export interface ListPaging {
  readonly first: string | undefined;
  readonly next: string | undefined;
  readonly count: string;
}

/** `/settings/connected-apps` and `/settings/apps`. */
export interface ConnectedAppsPage {
  readonly heading: string;
  readonly lead: string;
  /** Empty for visitors who have one list only. */
  readonly tabs: readonly Tab[];
  /** Says that an installation is not there. */
  readonly missing: string | undefined;
  readonly notice: string | undefined;
  readonly installations: readonly ShownInstallation[];
  readonly empty: { readonly title: string; readonly text: string };
  readonly paging: ListPaging;
}

/** Apps that the organization blocks. */
export interface BlockedAppsPage {
  /** Whether they can be unblocked: not while the organization is suspended. */
  readonly canUnblock: boolean;
  readonly tabs: readonly Tab[];
  readonly notice: string | undefined;
  /** Says what somebody else has changed meanwhile. */
  readonly conflict: string | undefined;
  readonly action: string;
  readonly csrf: string;
  readonly apps: readonly {
    readonly id: string;
    readonly name: string;
    readonly isVerified: boolean;
    readonly blocked: Moment;
  }[];
  readonly paging: ListPaging;
}

/** One app with its installations that the visitor sees. */
export interface ConnectedAppPage {
  readonly back: { readonly text: string; readonly href: string };
  readonly app: App;
  /** The path of its logo. */
  readonly logo: string | undefined;
  readonly redirectHosts: readonly string[];
  readonly installations: readonly ShownInstallation[];
  readonly paging: ListPaging;
  /** Pages that ask before they act. */
  readonly actions: readonly {
    readonly text: string;
    readonly hint: string;
    readonly href: string;
  }[];
}

/** Asks before apps are ended or blocked. */
export interface ConfirmEndPage {
  /** The page that the visitor came from. */
  readonly parent: { readonly text: string; readonly href: string };
  readonly heading: string;
  readonly name: string;
  readonly text: string;
  readonly facts: readonly { readonly term: string; readonly text: string }[];
  readonly button: string;
  readonly action: string;
  readonly csrf: string;
  readonly back: string;
}

export interface ConnectedAppViews {
  readonly 'connected-apps': ConnectedAppsPage;
  readonly 'blocked-apps': BlockedAppsPage;
  readonly 'connected-app': ConnectedAppPage;
  readonly 'confirm-end': ConfirmEndPage;
}

/** How an installation is shown: whose it is, and where its links lead. */
export interface InstallationPlace {
  readonly showsPerson: boolean;
  readonly showsOrganization: boolean;
  readonly appOf: (grant: ListedGrant) => string | undefined;
  readonly endOf: (grant: ListedGrant) => string | undefined;
  readonly logos: ReadonlyMap<string, string>;
}

export function showInstallation(grant: ListedGrant, place: InstallationPlace): ShownInstallation {
  const { email, accountName, scopes, lastUsedAt } = grant;
  return {
    name: grant.clientName,
    logo: place.logos.get(grant.clientId),
    isVerified: grant.isVerified,
    redirectHost: hostOf(grant.redirectUri),
    person: place.showsPerson ? { name: accountName ?? email, email } : undefined,
    organization: place.showsOrganization ? grant.tenantName : undefined,
    summary: summaryOf(scopes),
    sentences: scopes.map((scope) => scopeFacts(scope).description),
    allowed: ago(grant.createdAt),
    lastUsed: lastUsedAt === null ? undefined : ago(lastUsedAt),
    lastUsedAddress: grant.lastUsedAddress ?? undefined,
    app: place.appOf(grant),
    end: place.endOf(grant),
  };
}

export function showBlocked({ id, name, isVerified, blockedAt }: BlockedClient) {
  return { id, name, isVerified, blocked: ago(blockedAt) };
}

/** Where an authorization was answered, for people. */
export function hostOf(redirectUri: string): string {
  try {
    return describeRedirect(redirectUri).redirectHost;
  } catch {
    return redirectUri;
  }
}

/** The first resource with its actions, and the number of other scopes. */
function summaryOf(scopes: readonly Scope[]): string {
  const [first] = scopes;
  if (first === undefined) return 'nothing any more';
  const [resource = '', action] = first.split(':');
  if (action === undefined) return scopes.length === 1 ? first : `${first} · +${scopes.length - 1}`;
  const own = scopes.filter((scope) => scope.startsWith(`${resource}:`));
  const actions = own.map((scope) => scope.slice(resource.length + 1)).join(', ');
  const more = scopes.length - own.length;
  return `${resource}: ${actions}${more > 0 ? ` · +${more}` : ''}`;
}
