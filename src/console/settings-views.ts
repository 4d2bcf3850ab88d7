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
  return (ctx, view, page, options) => {
    const sent = { ...options, signedIn: frameOf(ctx, csrf) };
    const { organization } = ctx.state as Partial<SettingsContext['state']>;
    if (organization?.isSuspended === true && isForm(view, page)) {
      const { title, back } = page;
      return pages.send(ctx, 'closed', { title, back }, sent);
    }
    return pages.send(ctx, view, page, sent);
  };
}

/** Pages that are a form and nothing else, with the page that they belong to. */
const FORMS: readonly (keyof ConsoleViews)[] = [
  'new-key',
  'invite',
  'space',
  'new-webhook',
  'confirm-end',
];

/** While an organization is suspended, its forms are not offered: whatever they send is refused. */
function isForm(view: keyof ConsoleViews, page: object): page is { title: string; back: string } {
  return FORMS.includes(view) && 'back' in page;
}
