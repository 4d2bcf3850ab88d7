import type { Csrf } from '../../http/pages/csrf.js';
import type { Pagination } from '../../http/pagination.js';
import { singleValue } from '../../http/body/form.js';
import type { ConfirmationGate } from '../account/confirmation-gate.js';
import type { PageAccess, SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { OrganizationContext } from '../organization-context.js';
import type { ShowPage } from '../settings-views.js';
import { WEBHOOKS } from './paths.js';
import type { WebhookDesk } from './webhook-desk.js';

/** The parts that the pages of webhooks share. */
export interface WebhookPageDependencies {
  readonly desk: WebhookDesk;
  readonly pagination: Pagination;
  readonly csrf: Csrf;
  readonly showPage: ShowPage;
  readonly confirmationGate: ConfirmationGate;
}

const ACCESS: PageAccess = { page: WEBHOOKS };
const PAGE_SIZE = 25;

export function webhookRoute(
  method: 'GET' | 'POST',
  path: string,
  handle: (ctx: SettingsContext, at: OrganizationContext) => Promise<void> | void,
): SettingsRoute {
  return { method, path, access: ACCESS, handle: (ctx) => handle(ctx, ctx.state.organization) };
}

export function queryOf(ctx: SettingsContext, name: string): string | undefined {
  return singleValue(new URLSearchParams(ctx.querystring), name);
}

/** The query of a page of a list. */
export function pageQueryOf(ctx: SettingsContext) {
  return { limit: PAGE_SIZE, cursor: queryOf(ctx, 'cursor') };
}

/** The links and the count below a page of a list. */
export function pagingOf(
  ctx: SettingsContext,
  { items, cursor }: { readonly items: readonly unknown[]; readonly cursor: string | null },
  nouns: readonly [one: string, many: string],
  href: (query?: Readonly<Record<string, string>>) => string,
) {
  const isFirst = queryOf(ctx, 'cursor') === undefined;
  const count = `${items.length} ${nouns[items.length === 1 ? 0 : 1]}`;
  return {
    count: isFirst && cursor === null ? count : `${count} on this page`,
    first: isFirst ? undefined : href(),
    next: cursor === null ? undefined : href({ cursor }),
  };
}
