import type { TOKEN_ACCESS } from './personal-tokens.js';

/** A time as pages show it. */
export interface Moment {
  /** For programs (HTML's `datetime`). */
  readonly iso: string;
  readonly text: string;
}

/** A personal access token as its page shows it. */
export interface ShownToken {
  readonly name: string;
  readonly maskedKey: string;
  readonly status: 'active' | 'expired' | 'revoked';
  /** What it may do, in a word or three, and as the number of its scopes. */
  readonly access: string;
  readonly scopes: string;
  /** The names of the spaces it may enter; `undefined` for all. */
  readonly spaces: readonly string[] | undefined;
  readonly created: Moment;
  readonly expires: Moment | undefined;
  readonly lastUsed: Moment | undefined;
  /** The page on which it can be revoked; absent once it is. */
  readonly revoke: string | undefined;
}

/** The form for a new token: what was typed or ticked, and what is wrong with it. */
export interface TokenForm {
  readonly name: string;
  readonly access: (typeof TOKEN_ACCESS)[number] | undefined;
  /** One of the choices' values. */
  readonly expires: string;
  /** Empty where there is nothing to choose from. */
  readonly spaces: readonly {
    readonly id: string;
    readonly name: string;
    readonly isTicked: boolean;
  }[];
  readonly errors: Readonly<
    Partial<Record<'form' | 'name' | 'access' | 'expires' | 'spaces', string>>
  >;
}

/** Submits `name`, `access`, `expires` and a `space` for each that is ticked. */
export interface TokensPage {
  readonly action: string;
  readonly csrf: string;
  readonly tenantName: string;
  /** All of the visitor's tenants; empty if there is only this one. */
  readonly tenants: readonly {
    readonly name: string;
    readonly href: string;
    readonly isCurrent: boolean;
    readonly isSuspended: boolean;
  }[];
  /** What was just done. */
  readonly notice: string | undefined;
  readonly tokens: readonly ShownToken[];
  readonly form: TokenForm;
  readonly lifetimes: readonly { readonly value: string; readonly text: string }[];
}

/** A new token, on the one page that ever shows it. */
export interface NewTokenPage {
  readonly name: string;
  readonly secret: string;
  readonly back: string;
}

/** Asks once more. */
export interface RevokeTokenPage {
  readonly action: string;
  readonly csrf: string;
  readonly back: string;
  readonly token: ShownToken;
}

/** The pages of the settings area, by the names of their templates. */
export interface ConsoleViews {
  readonly tokens: TokensPage;
  readonly 'new-token': NewTokenPage;
  readonly 'revoke-token': RevokeTokenPage;
}
