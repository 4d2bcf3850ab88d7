import { managesKeys, visibleKinds } from '../../api-keys/index.js';
import type { KeyKind } from '../../credentials/kinds.js';
import { ROLES, type Role } from '../../scopes/roles.js';
import type { ConsolePage } from '../navigation.js';

/** A page of keys: the kinds that it shows, and its words. */
export interface KeySection {
  readonly path: ConsolePage['path'];
  readonly title: string;
  readonly lead: string;
  /** In the order of the page. */
  readonly kinds: readonly KeyKind[];
  /** The button and the title of the form. */
  readonly create: string;
  /** One of them in words. */
  readonly noun: 'key' | 'token' | 'credential';
  /** Whether it shows the visitor's own tokens, and not the keys of the organization. */
  readonly isOwn: boolean;
  /** The state without any of them. */
  readonly empty: { readonly title: string; readonly text: string };
}

export const API_KEYS: KeySection = {
  path: '/settings/api-keys',
  title: 'API keys',
  lead: 'A key lets a program call the API for your organization.',
  kinds: ['publishable', 'secret', 'organization'],
  create: 'New key',
  noun: 'key',
  isOwn: false,
  empty: {
    title: 'No keys yet',
    text: 'A key lets a program of yours call the API, without anybody being signed in. Make one for each program. Building an app for others? Use OAuth instead, so that each customer allows the app for their own organization.',
  },
};

export const MACHINE_CREDENTIALS: KeySection = {
  path: '/settings/machine-credentials',
  title: 'Machine credentials',
  lead: 'A machine credential lets a service or an agent act under its own name, with its own scopes.',
  kinds: ['service', 'agent'],
  create: 'New credential',
  noun: 'credential',
  isOwn: false,
  empty: {
    title: 'No machine credentials yet',
    text: 'Make one for each service or agent, so that you see what it does and can end it alone.',
  },
};

export const PERSONAL_TOKENS: KeySection = {
  path: '/settings/tokens',
  title: 'Personal access tokens',
  lead: 'A token lets a program of yours act as you. Treat it like a password.',
  kinds: ['personal'],
  create: 'New token',
  noun: 'token',
  isOwn: true,
  empty: {
    title: 'No tokens yet',
    text: 'A token lets a script or a tool of yours act as you, with as much of your access as you give it. Make one for each of them, so that you can end it alone.',
  },
};

/** The page that shows keys of a kind. */
export function sectionOf(kind: KeyKind): KeySection {
  const [section = API_KEYS] = [PERSONAL_TOKENS, MACHINE_CREDENTIALS].filter(({ kinds }) =>
    kinds.includes(kind),
  );
  return section;
}

/** The words for a kind of key. */
export interface KindWords {
  readonly title: string;
  /** The heading of its part of the page. */
  readonly plural: string;
  /** One sentence for the form. */
  readonly sentence: string;
  /** The lead of its part of the page. */
  readonly lead: string;
}

export const KIND_WORDS: Readonly<Record<KeyKind, KindWords>> = {
  publishable: {
    title: 'Publishable key',
    plural: 'Publishable keys',
    sentence: 'For browsers and mobile apps. Anybody may read it; it reaches public data only.',
    lead: 'They may be public, for example in the source of a page, and can be copied here at any time.',
  },
  secret: {
    title: 'Secret key',
    plural: 'Secret keys',
    sentence: 'For your servers. Its holder can do all that its scopes allow, so keep it secret.',
    lead: 'For servers only. The whole key is shown once, when it is made.',
  },
  organization: {
    title: 'Organization key',
    plural: 'Organization keys',
    sentence: 'Creates spaces and keys for all of the organization, and does nothing else.',
    lead: 'They create spaces and keys, and do nothing else. Only administrators see them.',
  },
  service: {
    title: 'Service',
    plural: 'Services',
    sentence: 'For backend jobs, synchronization and automation that act as infrastructure.',
    lead: 'Backend jobs, synchronization and automation.',
  },
  agent: {
    title: 'Agent',
    plural: 'Agents',
    sentence:
      'For autonomous workers. It can be bound to single records, and reaches no others then.',
    lead: 'Autonomous workers, which can be bound to single records.',
  },
  personal: {
    title: 'Personal access token',
    plural: 'Personal access tokens',
    sentence: 'Acts as you.',
    lead: 'A program that holds one acts as you. The whole token is shown once, when it is made.',
  },
};

/** Whether a role manages what a section shows. Everybody manages their own tokens. */
export function mayManage({ isOwn }: KeySection, role: Role): boolean {
  return isOwn || managesKeys(role);
}

/** The roles that manage what a section shows. */
export function managersOf(section: KeySection): readonly Role[] {
  return ROLES.filter((role) => mayManage(section, role));
}

/** The kinds of a section that a role sees. */
export function kindsSeen({ kinds, isOwn }: KeySection, role: Role): readonly KeyKind[] {
  if (isOwn) return kinds;
  const visible = visibleKinds(role);
  return kinds.filter((kind) => visible.includes(kind));
}
