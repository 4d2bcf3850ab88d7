import { singleValue } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import { ADMINISTRATORS, isAdministrator } from '../../scopes/roles.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import {
  queryOf,
  showBlockedApps,
  showEverywhere,
  showList,
  type AppPagesDependencies,
} from './app-pages.js';
import { hostOf, type ConfirmEndPage } from './app-view.js';
import { APP, BLOCK, BLOCKED, DISCONNECT, END, EVERYWHERE, LIST } from './paths.js';

const UNBLOCKED_BEFORE =
  'Somebody else has unblocked the app in the meantime. Nothing was changed.';

const ENDED_BEFORE = 'There is no such installation. It may have ended in the meantime.';

/** The pages that ask before an app is ended or blocked, and the forms that do it. */
export function createAppEndRoutes(dependencies: AppPagesDependencies): SettingsRoute[] {
  const { change } = dependencies;
  const { askToEnd, askToDisconnect, askToBlock } = createQuestions(dependencies);
  const route = (method: 'GET' | 'POST', path: string, handle: Handle): SettingsRoute => ({
    method,
    path,
    access:
      path === BLOCK || path === BLOCKED ? { page: LIST, roles: ADMINISTRATORS } : { page: LIST },
    handle: (ctx) => handle(ctx, ctx.state.organization),
  });
  return [
    route('GET', END, orList(dependencies, askToEnd)),
    route(
      'POST',
      END,
      orList(dependencies, async (ctx, at) => {
        await change((inside) => inside.end(at, idOf(ctx)));
        seeOther(ctx, at.href('from' in fromOf(ctx) ? EVERYWHERE : LIST, { done: 'ended' }));
      }),
    ),
    route('GET', DISCONNECT, askToDisconnect),
    route('POST', DISCONNECT, async (ctx, at) => {
      const of = queryOf(ctx, 'of') === 'organization' ? 'organization' : 'me';
      await change((inside) => inside.disconnect(at, clientOf(ctx), of, null));
      seeOther(ctx, at.href(LIST, { done: 'disconnected', ...(of !== 'me' && { of }) }));
    }),
    route('GET', BLOCK, askToBlock),
    route('POST', BLOCK, async (ctx, at) => {
      await change((inside) => inside.block(at, clientOf(ctx), null));
      seeOther(ctx, at.href(BLOCKED, { done: 'blocked' }));
    }),
    route('POST', BLOCKED, async (ctx, at) => {
      const clientId = singleValue(ctx.state.form, 'client') ?? '';
      try {
        await change((inside) => inside.unblock(at, clientId));
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'not_found') throw error;
        return showBlockedApps(dependencies, ctx, at, UNBLOCKED_BEFORE);
      }
      return seeOther(ctx, at.href(BLOCKED, { done: 'unblocked' }));
    }),
  ];
}

type Handle = (ctx: SettingsContext, at: OrganizationContext) => Promise<void>;

/** Shows the list that the visitor came from, with a notice, where an installation is not there. */
function orList(dependencies: AppPagesDependencies, handle: Handle): Handle {
  return async (ctx, at) => {
    try {
      await handle(ctx, at);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'not_found') throw error;
      const show = 'from' in fromOf(ctx) ? showEverywhere : showList;
      await show(dependencies, ctx, at, ENDED_BEFORE);
    }
  };
}

/** The pages that ask. */
function createQuestions({ showPage, csrf, apps }: AppPagesDependencies) {
  const ask = (
    ctx: SettingsContext,
    page: Omit<ConfirmEndPage, 'csrf'> & { readonly title: string },
  ) => showPage(ctx, 'confirm-end', { ...page, csrf: csrf.token(ctx) });

  async function askToEnd(ctx: SettingsContext, at: OrganizationContext): Promise<void> {
    const grant = await apps.find(at, idOf(ctx));
    const from = fromOf(ctx);
    const back = at.href('from' in from ? EVERYWHERE : LIST);
    ask(ctx, {
      parent: { text: 'from' in from ? 'Apps you use' : 'Connected apps', href: back },
      title: `End ${grant.clientName}?`,
      heading: 'End this installation of',
      name: grant.clientName,
      text: 'Its tokens are refused from the next request on. Other installations of the app keep working. This cannot be undone; the app can ask again.',
      facts: [
        { term: 'Person', text: `${grant.accountName ?? grant.email} (${grant.email})` },
        { term: 'Goes to', text: hostOf(grant.redirectUri) },
      ],
      button: 'End installation',
      action: at.href(END.replace(':id', grant.id), from),
      back,
    });
  }

  async function askToDisconnect(ctx: SettingsContext, at: OrganizationContext): Promise<void> {
    const app = await apps.describe(at, clientOf(ctx));
    const of = ownerOf(ctx, at);
    const isForAll = of === 'organization';
    const back = at.href(APP, { client: app.id });
    ask(ctx, {
      parent: { text: app.name, href: back },
      title: `Disconnect ${app.name}?`,
      heading: 'Disconnect',
      name: app.name,
      text: isForAll
        ? `All installations in ${at.tenantName} end, those of everybody. Their tokens are refused from the next request on. People can connect the app again.`
        : `All of your installations in ${at.tenantName} end. Their tokens are refused from the next request on. You can connect the app again.`,
      facts: [],
      button: isForAll ? 'Disconnect for everybody' : 'Disconnect',
      action: at.href(DISCONNECT, { client: app.id, ...(isForAll && { of }) }),
      back,
    });
  }

  async function askToBlock(ctx: SettingsContext, at: OrganizationContext): Promise<void> {
    const app = await apps.describe(at, clientOf(ctx));
    const back = at.href(APP, { client: app.id });
    ask(ctx, {
      parent: { text: app.name, href: back },
      title: `Block ${app.name}?`,
      heading: 'Block',
      name: app.name,
      text: `All installations in ${at.tenantName} end, and nobody there can connect the app until you unblock it.`,
      facts: [],
      button: 'Block app',
      action: at.href(BLOCK, { client: app.id }),
      back,
    });
  }

  return { askToEnd, askToDisconnect, askToBlock };
}

function ownerOf(ctx: SettingsContext, { role }: OrganizationContext): 'me' | 'organization' {
  return queryOf(ctx, 'of') === 'organization' && isAdministrator(role) ? 'organization' : 'me';
}

/** Whether the visitor came from the list of all organizations. */
function fromOf(ctx: SettingsContext): Readonly<Record<string, string>> {
  return queryOf(ctx, 'from') === 'you' ? { from: 'you' } : {};
}

function clientOf(ctx: SettingsContext): string {
  return queryOf(ctx, 'client') ?? '';
}

function idOf(ctx: SettingsContext): string {
  return ctx.params['id'] ?? '';
}
