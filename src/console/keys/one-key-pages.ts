import type { StoredCredential } from '../../credentials/index.js';
import { Problem } from '../../http/errors/problem.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import { changeOf, readEdit } from './key-edit.js';
import { emptyKeyForm, readKeyForm } from './key-form.js';
import { overlapOf, showKey, versionOf, type KeyPageFaults } from './key-page.js';
import type { KeySection } from './key-section.js';
import {
  addressElsewhere,
  faultsOf,
  isRefusal,
  keyOf,
  secretAddress,
  sectionRoute,
  withRestore,
  type KeyPagesDependencies,
} from './section-routes.js';

/** The page of one key, and what is done with it: change, rotate, end after a rotation, revoke. */
export function createOneKeyPages(
  dependencies: KeyPagesDependencies,
  section: KeySection,
): SettingsRoute[] {
  const { showPage, desk } = dependencies;
  const show: ShowKey = async (ctx, key, faults = {}, status = 200) => {
    const at = ctx.state.organization;
    showPage(ctx, 'key', await showKey(dependencies, section, at, key, faults), { status });
  };
  const routeOf = (method: 'GET' | 'POST', path: string, handle: KeyHandler) =>
    sectionRoute(section, method, path, async (ctx, at) =>
      handle(ctx, at, await keyOf(desk, section, ctx)),
    );
  return [
    sectionRoute(section, 'GET', '/:id', async (ctx, at) => {
      const elsewhere = await addressElsewhere(desk, section, at, ctx.params['id'] ?? '');
      if (elsewhere !== undefined) return seeOther(ctx, elsewhere);
      const key = await keyOf(desk, section, ctx);
      const isElsewhere = !section.isOwn && key.environment !== at.environment;
      if (isElsewhere) return seeOther(ctx, inItsEnvironment(ctx, key));
      const done = new URLSearchParams(ctx.querystring).get('done');
      const notice = { tone: 'done', text: 'The changes are saved.' };
      return show(ctx, key, done === 'saved' ? { notice } : {});
    }),
    withRestore(routeOf('POST', '/:id', createChange(dependencies, section, show)), async (ctx) =>
      showEdit(ctx, await keyOf(desk, section, ctx), section, show),
    ),
    routeOf('POST', '/:id/rotate', createRotation(dependencies, section, show)),
    routeOf('POST', '/:id/end', async (ctx, at, key) => {
      const reason = 'ended after its rotation';
      await desk.change(at, (service, by) => service.revoke(by, key.id, reason, key.name));
      seeOther(ctx, at.href(section.path, { done: 'revoked' }));
    }),
    routeOf('POST', '/:id/revoke', createRevocation(dependencies, section, show)),
  ];
}

type KeyHandler = (
  ctx: SettingsContext,
  at: OrganizationContext,
  key: StoredCredential,
) => Promise<void> | void;

/** Shows the page of a key, after a refused form with its faults. */
type ShowKey = (
  ctx: SettingsContext,
  key: StoredCredential,
  faults?: KeyPageFaults,
  status?: number,
) => Promise<void>;

const changedMeanwhile = (noun: string) => ({
  tone: 'warning',
  text: `Somebody else has changed this ${noun} meanwhile. Your values are in the form below: look at what changed, then save again.`,
});

/** Shows values again that were typed, and whether the key was changed by somebody else since. */
function showEdit(
  ctx: SettingsContext,
  key: StoredCredential,
  section: KeySection,
  show: ShowKey,
): Promise<void> {
  const sent = ctx.state.form;
  const edit = readEdit(sent);
  if (sent.get('seen') === versionOf(key)) return show(ctx, key, { edit });
  return show(ctx, key, { edit, notice: changedMeanwhile(section.noun) }, 409);
}

function createChange(
  { desk }: KeyPagesDependencies,
  section: KeySection,
  show: ShowKey,
): KeyHandler {
  return async (ctx, at, key) => {
    const sent = ctx.state.form;
    const edit = readEdit(sent);
    if (sent.get('seen') !== versionOf(key)) return showEdit(ctx, key, section, show);
    try {
      const change = changeOf(key, edit, await desk.now());
      await desk.change(at, (service, by) => service.change(by, key.id, change));
      return seeOther(ctx, at.href(`${section.path}/${key.id}`, { done: 'saved' }));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const values = { ...emptyKeyForm(key.kind, key.environment), ...edit };
      const { form: text, ...editErrors } = faultsOf(error, values);
      const notice = text === undefined ? undefined : { tone: 'error', text };
      return show(ctx, key, { edit, editErrors, notice }, 422);
    }
  };
}

function createRotation(
  { desk, confirmationGate }: KeyPagesDependencies,
  section: KeySection,
  show: ShowKey,
): KeyHandler {
  return async (ctx, at, key) => {
    const { handle } = readKeyForm(ctx.state.form, section.kinds);
    const overlap = overlapOf(ctx.state.form.get('overlap'));
    if (overlap === undefined) throw new Problem('bad_request', 'Choose when the old one ends.');
    if (!(await confirmationGate.pass(ctx))) return;
    try {
      const id = await desk.mint(at, handle, (service, by) => service.rotate(by, key.id, overlap));
      return seeOther(ctx, secretAddress(section, at, id, handle));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return show(ctx, key, { notice: { tone: 'error', text: error.message } }, 409);
    }
  };
}

function createRevocation(
  { desk }: KeyPagesDependencies,
  section: KeySection,
  show: ShowKey,
): KeyHandler {
  return async (ctx, at, key) => {
    const confirm = ctx.state.form.get('confirm') || undefined;
    try {
      await desk.change(at, (service, by) => service.revoke(by, key.id, null, confirm));
      return seeOther(ctx, at.href(section.path, { done: 'revoked' }));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const revokeError = `Type the name of the ${section.noun}, ${key.name}, to revoke it.`;
      return show(ctx, key, { revokeError }, 409);
    }
  };
}

/** The same page with the environment of its key. */
function inItsEnvironment(ctx: SettingsContext, { environment }: StoredCredential): string {
  const query = new URLSearchParams(ctx.querystring);
  query.set('env', environment);
  return `${ctx.path}?${query.toString()}`;
}
