import type { Csrf } from '../http/pages/csrf.js';
import type { PageOptions, Pages } from '../http/pages/pages.js';
import type { ConsoleViews } from './page-data.js';
import type { SettingsContext } from './settings-gate.js';
import { frameOf } from './visitor.js';

/** Sends a page of the settings area in its frame. */
export type ShowPage = <View extends keyof ConsoleViews>(
  ctx: SettingsContext,
  view: View,
  page: { readonly title: string } & ConsoleViews[View],
  options?: Pick<PageOptions, 'status'>,
) => void;

export function createShowPage({
  pages,
  csrf,
}: {
  readonly pages: Pages<ConsoleViews>;
  readonly csrf: Csrf;
}): ShowPage {
  return (ctx, view, page, options) =>
    pages.send(ctx, view, page, { ...options, signedIn: frameOf(ctx as never, csrf) });
}
