import type { HiddenField } from '../../http/pages/pages.js';
import type { Moment } from '../moments.js';

/**
 * Asks the signed-in user to confirm their presence. Submits `confirm_password` or `confirm_provider`, and the fields as
 * they are.
 */
export interface ConfirmPresencePage {
  readonly action: string;
  readonly email: string;
  readonly fields: readonly HiddenField[];
  readonly hasPassword: boolean;
  /** The providers that the account signs in with. */
  readonly providers: readonly { readonly id: string; readonly name: string }[];
  readonly error: string | undefined;
  /** Beside the field of the password. */
  readonly passwordError: string | undefined;
}

/** Submits a form after the user has confirmed at a provider. */
export interface ConfirmedPage {
  readonly action: string;
  readonly fields: readonly HiddenField[];
}

/** Leads to a provider. */
export interface ToProviderPage {
  readonly name: string;
  readonly url: string;
}

/** A session as its page shows it. */
export interface ShownSession {
  /** Such as `Firefox on Windows`. */
  readonly device: string;
  readonly address: string | null;
  readonly signedIn: Moment;
  /** The provider at which the user signed in; absent for a password. */
  readonly provider: string | undefined;
  readonly seen: Moment;
  readonly isCurrent: boolean;
  /** The target of the form that ends it. */
  readonly end: string;
}

/** The forms of the page have no fields. */
export interface SessionsPage {
  readonly notice: string | undefined;
  readonly sessions: readonly ShownSession[];
  /** The target of the form that ends all others; absent if there are no others. */
  readonly endOthers: string | undefined;
}

/** An identity at a provider that the account signs in with. */
interface LinkedRow {
  readonly name: string;
  readonly issuer: string;
  readonly email: string | null;
  readonly since: Moment;
  /** Whether the operator still offers the provider. */
  readonly isOffered: boolean;
}

/** Submits `name`; `email`; or `current`, `password` and `repeated`. */
export interface ProfilePage {
  readonly notice: string | undefined;
  /** A problem at a sign-in provider. */
  readonly problem: string | undefined;
  readonly name: {
    readonly action: string;
    /** The name that the form was opened with. */
    readonly seen: string;
    readonly value: string;
    readonly error?: string | undefined;
  };
  readonly email: {
    readonly action: string;
    readonly current: string;
    readonly value: string;
    readonly isConfirmed: boolean;
    /** Without it addresses cannot be confirmed. */
    readonly isMailSent: boolean;
    readonly error?: string | undefined;
  };
  readonly password: {
    readonly action: string;
    /** `none`: the account has no password. `off`: passwords are switched off. */
    readonly state: 'set' | 'none' | 'off';
    readonly errors: Readonly<Partial<Record<'current' | 'password' | 'repeated', string>>>;
  };
  /** Absent without providers. */
  readonly providers:
    | {
        /** Submits `issuer`. */
        readonly unlink: string;
        /** Submits `provider`. */
        readonly link: string;
        readonly linked: readonly LinkedRow[];
        /** Providers that the account is not connected to. */
        readonly others: readonly { readonly id: string; readonly name: string }[];
      }
    | undefined;
  readonly organizations: readonly {
    readonly name: string;
    readonly role: string;
    /** The page that asks whether to leave; absent while the organization is suspended. */
    readonly leave: string | undefined;
  }[];
}

/** Asks whether to leave an organization. */
export interface LeavePage {
  readonly action: string;
  readonly back: string;
  readonly tenantName: string;
  /** Everything that ends, in words. */
  readonly ends: readonly string[];
  /** Neither the last administrator nor a member of a suspended organization can. */
  readonly canLeave: boolean;
  readonly error: string | undefined;
}

/** The pages of an account, by the names of their templates. */
export interface AccountViews {
  readonly 'confirm-presence': ConfirmPresencePage;
  readonly confirmed: ConfirmedPage;
  readonly 'to-provider': ToProviderPage;
  readonly sessions: SessionsPage;
  readonly profile: ProfilePage;
  readonly leave: LeavePage;
}
