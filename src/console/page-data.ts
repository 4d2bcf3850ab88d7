import type { AccountViews } from './account/views.js';
import type { MailedViews } from './mailed/views.js';
import type { MemberViews } from './members/views.js';
import type { AuditPage } from './audit-log/audit-page.js';
import type { ConnectedAppViews } from './connected-apps/app-view.js';
import type { GeneralPage } from './general/general-page.js';
import type { KeyViews } from './keys/key-views.js';
import type { Moment } from './moments.js';
import type { SpacePage, SpacesPage } from './spaces/spaces-page.js';
import type { SearchPage } from './search/search-view.js';
import type { TesterPage } from './tester/tester-view.js';
import type { TOKEN_ACCESS } from './tokens/personal-tokens.js';
import type { UsagePage } from './usage/usage-page.js';

/** A personal access token as its page shows it. */
export interface ShownToken {
  readonly name: string;
  readonly maskedKey: string;
  readonly status: 'active' | 'expired' | 'revoked';
  /** Its access in words, and the number of its scopes. */
  readonly access: string;
  readonly scopes: string;
  /** The names of its spaces; `undefined` for all. */
  readonly spaces: readonly string[] | undefined;
  readonly created: Moment;
  readonly expires: Moment | undefined;
  readonly lastUsed: Moment | undefined;
  /** The page that revokes it; absent for a revoked token. */
  readonly revoke: string | undefined;
}

/** The form for a new token, with its values and faults. */
export interface TokenForm {
  readonly name: string;
  readonly access: (typeof TOKEN_ACCESS)[number] | undefined;
  /** One of the choices' values. */
  readonly expires: string;
  /** Empty for a tenant with one space. */
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
  /** The result of the previous action. */
  readonly notice: string | undefined;
  readonly tokens: readonly ShownToken[];
  readonly form: TokenForm;
  readonly lifetimes: readonly { readonly value: string; readonly text: string }[];
}

/** A new token. No other page shows its secret. */
export interface NewTokenPage {
  readonly name: string;
  readonly secret: string;
  readonly back: string;
}

/** Asks to confirm a revocation. */
export interface RevokeTokenPage {
  readonly action: string;
  readonly csrf: string;
  readonly back: string;
  readonly token: ShownToken;
}

/** The pages of the settings area, by the names of their templates. */
export interface ConsoleViews
  extends AccountViews, ConnectedAppViews, KeyViews, MailedViews, MemberViews {
  readonly search: SearchPage;
  readonly tester: TesterPage;
  readonly tokens: TokensPage;
  readonly 'new-token': NewTokenPage;
  readonly 'revoke-token': RevokeTokenPage;
  readonly usage: UsagePage;
  readonly 'audit-log': AuditPage;
  readonly spaces: SpacesPage;
  readonly space: SpacePage;
  readonly general: GeneralPage;
}
