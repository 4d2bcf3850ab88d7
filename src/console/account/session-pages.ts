import { createAuditLog } from '../../audit/index.js';
import { singleValue } from '../../http/body/form.js';
import { createSessionStore } from '../../sessions/index.js';
import { ago } from '../moments.js';
import type { PersonalContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import type { AccountPageDependencies } from './dependencies.js';
import { describeDevice } from './device.js';

const LIST = '/settings/sessions';
const END = `${LIST}/:id/end`;
const END_OTHERS = `${LIST}/end-others`;

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['one', 'The session has ended.'],
  ['others', 'All other sessions have ended.'],
]);

/** `/settings/sessions`: the browsers in which the visitor is signed in. */
export function createSessionPages(dependencies: AccountPageDependencies): SettingsRoute[] {
  const { showPage, dataSource, keyring, providers } = dependencies;
  const nameOf = (provider: string) =>
    providers.buttons.find(({ id }) => id === provider)?.name ?? provider;
  const show = async (ctx: SettingsContext, at: PersonalContext) => {
    const found = await createSessionStore(dataSource.manager, keyring).listOfAccount(at.accountId);
    const sessions = found
      .map((session) => ({
        device: describeDevice(session.userAgent),
        address: session.address,
        signedIn: ago(session.createdAt),
        provider: 'provider' in session.method ? nameOf(session.method.provider) : undefined,
        seen: ago(session.seenAt),
        isCurrent: session.id === at.sessionId,
        end: at.href(END.replace(':id', encodeURIComponent(session.id))),
      }))
      .toSorted((one, other) => Number(other.isCurrent) - Number(one.isCurrent));
    showPage(ctx, 'sessions', {
      title: 'Sessions',
      notice: NOTICES.get(singleValue(new URLSearchParams(ctx.querystring), 'done') ?? ''),
      sessions,
      endOthers: sessions.length > 1 ? at.href(END_OTHERS) : undefined,
    });
  };

  const access = { page: LIST } as const;
  return [
    { method: 'GET', path: LIST, access, handle: (ctx) => show(ctx, ctx.state.personal) },
    {
      method: 'POST',
      path: END,
      access,
      async handle(ctx) {
        const at = ctx.state.personal;
        await end(dependencies, at, ctx.params['id'] ?? '');
        // Ending the current session leads to the login page.
        seeOther(ctx, at.href(LIST, { done: 'one' }));
      },
    },
    {
      method: 'POST',
      path: END_OTHERS,
      access,
      async handle(ctx) {
        const at = ctx.state.personal;
        await end(dependencies, at, undefined);
        seeOther(ctx, at.href(LIST, { done: 'others' }));
      },
    },
  ];
}

/** @param id `undefined` for all but the current one */
async function end(
  { dataSource, keyring }: AccountPageDependencies,
  { accountId, sessionId, actor }: PersonalContext,
  id: string | undefined,
): Promise<void> {
  await dataSource.transaction(async (manager) => {
    const store = createSessionStore(manager, keyring);
    const ended =
      id === undefined
        ? await store.endAllOf(accountId, sessionId)
        : Number(await store.endOne(accountId, id));
    if (ended === 0) return;
    await createAuditLog(manager).record(actor, {
      tenantId: null,
      action: 'account.end_sessions',
      subject: accountId,
      details: id === undefined ? { endedSessions: ended } : { session: id },
    });
  });
}
