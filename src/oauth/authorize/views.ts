import type { HiddenField } from '../../http/pages/pages.js';
import type { RedirectTarget } from '../../http/redirect-target.js';
import type { ConsentGroup } from './consent-scopes.js';

/** Members of every form. */
interface FormData {
  /** The path that the form is posted to. */
  readonly action: string;
  readonly csrf: string;
  /** Fields that are sent back as they are. */
  readonly hidden: readonly HiddenField[];
}

/** A client on the pages before consent. Anyone can register one, under any name. */
export interface ShownClient {
  /** Cut to a bounded length: see `shownClient`. */
  readonly name: string;
  /** Whether the operator has verified who runs it. A page warns otherwise. */
  readonly isVerified: boolean;
}

/** Submits `email` and `password`. */
export interface LoginPage extends FormData {
  /** The submitted email, or the client's `login_hint`. */
  readonly email?: string | undefined;
  /** The reason for the sign-in, such as that a session has ended. */
  readonly notice?: string | undefined;
  /** Something that was just done, such as setting a new password. */
  readonly done?: string | undefined;
  /** One sentence, the same for an unknown email and a wrong password. */
  readonly error?: string | undefined;
  /** Whether the error is about the fields. */
  readonly isInvalid?: boolean;
  /** The client that the user continues to. */
  readonly client?: ShownClient | undefined;
  /** Whether the form asks for email and password. */
  readonly hasPasswords: boolean;
  /** Each has a button, which submits its id as `provider`. */
  readonly providers: readonly { readonly id: string; readonly name: string }[];
}

/** Submits `tenant_id`, or `account` to sign in with another one. */
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
 * Submits `decision` (`approve`, `deny`, `switch_account`, or `choose_tenant` if the user has several) and a `scope` per
 * tick.
 */
export interface ConsentPage extends FormData {
  readonly client: {
    /** `other-device`: the access goes to a device that shows the user code `redirectHost`. */
    readonly redirectKind: RedirectTarget['redirectKind'] | 'other-device';
    readonly redirectHost: string;
    readonly name: string;
    /** The shortened name for headings, if the name is too long. */
    readonly shortName?: string | undefined;
    readonly isVerified: boolean;
    /** Shown as text and never as a link: it is unverified. */
    readonly clientUri?: string | undefined;
    /** The host of the metadata document that identifies it. Only who controls the host can use its name. */
    readonly documentHost?: string | undefined;
    /** The path of its logo, which is as unverified as its name. */
    readonly logo?: string | undefined;
  };
  readonly account: { readonly name: string; readonly email: string };
  readonly tenantName: string;
  /** The names of the resource servers that the access is for; empty for this service itself. */
  readonly resourceNames: readonly string[];
  readonly canChooseAnother?: boolean;
  /** A summary of many scopes. */
  readonly summary?: string | undefined;
  readonly groups: readonly ConsentGroup[];
  /** Facts that the client always sees. Noun phrases, such as `your name`. */
  readonly disclosed: readonly string[];
}

/** Submits `user_code`. */
export interface DevicePage extends FormData {
  /** The code as it was typed, or as the device's link has it. */
  readonly userCode: string;
  readonly error?: string | undefined;
}

/** The end of a device's request. */
export interface DeviceDonePage {
  readonly client: ShownClient;
  readonly isApproved: boolean;
  /** Why nothing could be allowed; absent if the user refused. */
  readonly reason: string | undefined;
}

/** Asks to confirm a logout. Submits its hidden fields. */
export interface SignOutPage extends FormData {
  readonly account: { readonly name: string; readonly email: string };
  /** The requesting client; absent unless its name can be trusted. */
  readonly clientName?: string | undefined;
  /** Whether the client named another account than the one that is signed in. */
  readonly isOtherAccount: boolean;
  /** The destination after the logout. */
  readonly target?: RedirectTarget | undefined;
  /** Whether the client named a URI that it has not registered. */
  readonly isTargetRefused: boolean;
  /** The page for users who cancel. */
  readonly back: string;
}

/** The page after a logout. */
export interface SignedOutPage {
  /** The client's destination, offered as a link. */
  readonly target?: (RedirectTarget & { readonly href: string }) | undefined;
}

/** A link to the app that an error page comes from. */
export interface WayBack {
  readonly name: string;
  readonly host: string;
  readonly href: string;
}

/** An error page. The code and the request id are for support. */
export interface ErrorPage {
  /** Only for an app that is trusted: see `wayBackTo`. */
  readonly back?: WayBack | undefined;
  readonly heading: string;
  readonly message: string;
  /** Instructions for the user. */
  readonly next?: string | undefined;
  /** Pages of this server that help; the first one is a button. */
  readonly links: readonly { readonly text: string; readonly href: string }[];
  readonly code?: string | undefined;
  /** Requested scopes that do not exist. */
  readonly scopes?: readonly string[] | undefined;
  readonly requestId: string;
}

/** The pages of OAuth, by the names of their templates. */
export interface OAuthViews {
  readonly login: LoginPage;
  readonly 'choose-tenant': ChooseTenantPage;
  readonly consent: ConsentPage;
  readonly device: DevicePage;
  readonly 'device-done': DeviceDonePage;
  readonly 'sign-out': SignOutPage;
  readonly 'signed-out': SignedOutPage;
  readonly error: ErrorPage;
}

/** The members of userinfo in words. Every client sees them, with any scope. */
export const DISCLOSED_BY_USERINFO: readonly string[] = [
  'your name and email address',
  'the organization, and your role in it',
  'the ids of your account and of the organization',
  'the permissions that you allow',
];

const MAX_NAME = 60;
/** Cuts between graphemes, so that emoji and accented letters stay whole. */
const SEGMENTS = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Shortens a client's name for the pages before consent. */
export function shownClient({ name, isVerified }: ShownClient): ShownClient {
  const characters = Array.from(SEGMENTS.segment(name), ({ segment }) => segment);
  const isLong = characters.length > MAX_NAME;
  const cut = isLong ? `${characters.slice(0, MAX_NAME).join('').trimEnd()}…` : name;
  return { name: cut, isVerified };
}
