import type { HiddenField } from '../http/pages.js';
import type { ConsentGroup } from './consent-scopes.js';

/** What every form holds. */
interface FormData {
  /** Where the form is posted to: a path of ours. */
  readonly action: string;
  readonly csrf: string;
  /** Fields that are sent back as they are. */
  readonly hidden: readonly HiddenField[];
}

/** An app on the pages before consent. Anybody can register one, under any name. */
export interface ShownClient {
  /** Cut to a bounded length: see `shownClient`. */
  readonly name: string;
  /** Whether the operator has verified who runs it. A page warns otherwise. */
  readonly isVerified: boolean;
}

/** Submits `email` and `password`. */
export interface LoginPage extends FormData {
  /** What was typed, or the client's `login_hint`. */
  readonly email?: string | undefined;
  /** Why one is asked to sign in, such as that a session has ended. */
  readonly notice?: string | undefined;
  /** One sentence, the same whatever was wrong. */
  readonly error?: string | undefined;
  /** Whether the error is about what was typed. */
  readonly isInvalid?: boolean;
  /** The app that somebody is about to continue to. */
  readonly client?: ShownClient | undefined;
}

/** Submits `tenant_id`. */
export interface ChooseTenantPage extends FormData {
  readonly client: ShownClient;
  readonly accountEmail: string;
  readonly tenants: readonly {
    readonly id: string;
    readonly name: string;
    /** In words, such as `company admin`. */
    readonly role: string;
  }[];
}

/**
 * Where an authorization ends: at a site, in a program that listens on this device, or in the app
 * that owns a scheme. Only a site can be told from an impostor.
 */
export interface RedirectTarget {
  readonly redirectKind: 'web' | 'device' | 'app';
  /** For people: a host, `this device (127.0.0.1)` or `cursor://`. */
  readonly redirectHost: string;
}

/**
 * Submits `decision`: `approve`, `deny`, `switch_account` or, where one can choose, `choose_tenant`; and a `scope`
 * for each that is ticked.
 */
export interface ConsentPage extends FormData {
  readonly client: RedirectTarget & {
    readonly name: string;
    /** What is left of the name for headings, where the whole one is too long. */
    readonly shortName?: string | undefined;
    readonly isVerified: boolean;
    /** Shown as text and never as a link: it is the client's own word. */
    readonly clientUri?: string | undefined;
  };
  readonly account: { readonly name: string; readonly email: string };
  readonly tenantName: string;
  readonly canChooseAnother?: boolean;
  /** What the groups come to, where they are many. */
  readonly summary?: string | undefined;
  readonly groups: readonly ConsentGroup[];
  /** What the client sees whatever is ticked; each a noun phrase, such as `your name`. */
  readonly disclosed: readonly string[];
}

/** Asks whether the session is to end. Submits its hidden fields. */
export interface SignOutPage extends FormData {
  readonly account: { readonly name: string; readonly email: string };
  /** The app that asks; absent unless its name can be trusted. */
  readonly clientName?: string | undefined;
  /** Whether the app meant another account than the one that is signed in. */
  readonly isOtherAccount: boolean;
  /** Where the user is sent then. */
  readonly target?: RedirectTarget | undefined;
  /** Whether the app named an address that it has not registered. */
  readonly isTargetRefused: boolean;
  /** The page for who does not want to sign out. */
  readonly back: string;
}

/** Says that nobody is signed in. */
export interface SignedOutPage {
  /** Where the app wanted the user to be sent, offered as a link. */
  readonly target?: (RedirectTarget & { readonly href: string }) | undefined;
}

/** Told to a person; the code and the request's id are for whoever they ask. */
export interface ErrorPage {
  readonly heading: string;
  readonly message: string;
  readonly code?: string | undefined;
  /** Names of scopes that the app asked for in vain. */
  readonly scopes?: readonly string[] | undefined;
  readonly requestId: string;
}

/** The pages of signing in and consenting, by the names of their templates. */
export interface OAuthViews {
  readonly login: LoginPage;
  readonly 'choose-tenant': ChooseTenantPage;
  readonly consent: ConsentPage;
  readonly 'sign-out': SignOutPage;
  readonly 'signed-out': SignedOutPage;
  readonly error: ErrorPage;
}

/** The members of userinfo in words: every client sees them, whatever its scopes. */
export const DISCLOSED_BY_USERINFO: readonly string[] = [
  'your name and email address',
  'the organization, and your role in it',
  'the ids of your account and of the organization',
  'what you allow it here',
];

const MAX_NAME = 60;
/** Cuts between characters as they are seen: none of an emoji or an accented letter is left over. */
const SEGMENTS = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** A client as it is shown before consent, where the name stands next to words of ours. */
export function shownClient({ name, isVerified }: ShownClient): ShownClient {
  const characters = Array.from(SEGMENTS.segment(name), ({ segment }) => segment);
  const isLong = characters.length > MAX_NAME;
  const cut = isLong ? `${characters.slice(0, MAX_NAME).join('').trimEnd()}…` : name;
  return { name: cut, isVerified };
}

/**
 * Says for people where a redirect URI leads.
 * @throws TypeError for what is no URL
 */
export function describeRedirect(redirectUri: string): RedirectTarget {
  const { protocol, host, hostname } = new URL(redirectUri);
  if (!/^https?:$/.test(protocol)) return { redirectKind: 'app', redirectHost: `${protocol}//` };
  return /^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(hostname)
    ? { redirectKind: 'device', redirectHost: `this device (${hostname})` }
    : { redirectKind: 'web', redirectHost: host };
}
