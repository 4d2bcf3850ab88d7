import type { AccountViews } from './account/views.js';
import type { MailedViews } from './mailed/views.js';
import type { MemberViews } from './members/views.js';
import type { AuditPage } from './audit-log/audit-page.js';
import type { ConnectedAppViews } from './connected-apps/app-view.js';
import type { GeneralPage } from './general/general-page.js';
import type { KeyViews } from './keys/key-views.js';
import type { SpacePage, SpacesPage } from './spaces/spaces-page.js';
import type { SearchPage } from './search/search-view.js';
import type { TesterPage } from './tester/tester-view.js';
import type { UsagePage } from './usage/usage-page.js';
import type { WebhookViews } from './webhooks/views.js';

/** The pages of the settings area, by the names of their templates. */
export interface ConsoleViews
  extends AccountViews, ConnectedAppViews, KeyViews, MailedViews, MemberViews, WebhookViews {
  readonly search: SearchPage;
  readonly tester: TesterPage;
  readonly usage: UsagePage;
  readonly 'audit-log': AuditPage;
  readonly spaces: SpacesPage;
  readonly space: SpacePage;
  readonly general: GeneralPage;
  /** In place of a form, while the organization is suspended. */
  readonly closed: { readonly back: string };
}
