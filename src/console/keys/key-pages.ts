import { managesKeys } from '../../api-keys/index.js';
import { keyChange, type KeyChange } from '../../api-keys/index.js';
import type { StoredCredential } from '../../credentials/index.js';
import { Problem } from '../../http/errors/problem.js';
import { parseWith } from '../../http/validation.js';
import { ROLES } from '../../scopes/roles.js';
import type { OrganizationContext } from '../organization-context.js';
import type { PasswordGate } from '../account/password-gate.js';
import type { PageAccess, SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { seeOther } from '../visitor.js';
import type { KeyDesk } from './key-desk.js';
import {
  addressesOf,
  emptyKeyForm,
  errorsOf,
  expiryOf,
  limitOf,
  readKeyForm,
  requestOf,
  type KeyFormValues,
} from './key-form.js';
import { showKeys } from './key-list-page.js';
import { overlapOf, showKey, versionOf, type KeyPageFaults } from './key-page.js';
import { kindsSeen, type KeySection } from './key-section.js';
import { presetOf, showNewKey } from './new-key-page.js';
import { showSecret } from './secret-page.js';

export type KeyPagesDependencies = Parameters<typeof showKeys>[0] &
  Parameters<typeof showNewKey>[0] &
  Parameters<typeof showKey>[0] &
  Parameters<typeof showSecret>[0] & {
    readonly showPage: ShowPage;
    readonly passwordGate: PasswordGate;
    readonly desk: KeyDesk;
  };

const MANAGERS = ROLES.filter(managesKeys);

/** The pages of a section of keys: the list, the form for a new one, its secret, and the page of each key. */
export function createKeyPages(
  dependencies: KeyPagesDependencies,
  section: KeySection,
): SettingsRoute[] {
  const { showPage, passwordGate, desk } = dependencies;
  const route = (
    method: 'GET' | 'POST',
    path: string,
    handle: (ctx: SettingsContext, at: OrganizationContext) => Promise<void>,
    access: PageAccess = { page: section.path, roles: MANAGERS },
  ): SettingsRoute => ({
    method,
    path: section.path + path,
    access,
    handle: (ctx) => handle(ctx, ctx.state.organization),
  });

  const form = async (
    ctx: SettingsContext,
    at: OrganizationContext,
    values: KeyFormValues,
    error?: unknown,
  ) => {
    const errors = error === undefined ? {} : faultsOf(error, values);
    const page = await showNewKey(dependencies, section, at, values, errors);
    showPage(ctx, 'new-key', page, { status: error === undefined ? 200 : 422 });
  };

  /** The key of the address, if it belongs to the section. */
  const keyOf = async (ctx: SettingsContext, at: OrganizationContext) => {
    const key = await desk.find(at, ctx.params['id'] ?? '');
    if (section.kinds.includes(key.kind)) return key;
    throw new Problem('not_found', 'Key not found.');
  };
  const detail = async (
    ctx: SettingsContext,
    at: OrganizationContext,
    key: StoredCredential,
    faults: KeyPageFaults = {},
    status = 200,
  ) => {
    showPage(ctx, 'key', await showKey(dependencies, section, at, key, faults), { status });
  };
  const secretAddress = (at: OrganizationContext, id: string, handle: string) =>
    at.href(`${section.path}/${id}/secret`, { handle });

  return [
    route(
      'GET',
      '',
      async (ctx, at) => showPage(ctx, 'keys', await showKeys(dependencies, section, at, ctx)),
      { page: section.path },
    ),
    route('GET', '/new', (ctx, at) => {
      const kinds = kindsSeen(section, at.role);
      const wanted = new URLSearchParams(ctx.querystring).get('kind');
      const usual = kinds.includes('secret') ? 'secret' : (kinds[0] ?? 'secret');
      const kind = kinds.find((name) => name === wanted) ?? usual;
      return form(ctx, at, emptyKeyForm(kind, at.environment));
    }),
    route('POST', '/new', async (ctx, at) => {
      const sent = ctx.state.form;
      const values = readKeyForm(sent, kindsSeen(section, at.role));
      const preset = sent.get('preset');
      if (preset !== null) {
        return form(ctx, at, { ...values, scopes: presetOf(preset, values, at.role) });
      }
      if (!(await passwordGate.pass(ctx))) return;
      try {
        const id = await desk.mint(at, values.handle, (service, by, now) =>
          service.create(by, requestOf(values, now)),
        );
        return seeOther(ctx, secretAddress(at, id, values.handle));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return form(ctx, at, values, error);
      }
    }),
    route('GET', '/:id/secret', async (ctx, at) => {
      const key = await keyOf(ctx, at);
      showPage(ctx, 'key-secret', await showSecret(dependencies, section, at, key, ctx));
    }),
    route('GET', '/:id', async (ctx, at) => {
      const key = await keyOf(ctx, at);
      if (key.environment !== at.environment) return seeOther(ctx, inItsEnvironment(ctx, key));
      const done = new URLSearchParams(ctx.querystring).get('done');
      const notice = { tone: 'done', text: 'The changes are saved.' };
      return detail(ctx, at, key, done === 'saved' ? { notice } : {});
    }),
    route('POST', '/:id', async (ctx, at) => {
      const key = await keyOf(ctx, at);
      const sent = ctx.state.form;
      const edit = editOf(sent);
      if (sent.get('seen') !== versionOf(key)) {
        return detail(ctx, at, key, { edit, notice: CHANGED_MEANWHILE }, 409);
      }
      try {
        const change = changeOf(key, edit, await desk.now());
        await desk.change(at, (service, by) => service.change(by, key.id, change));
        return seeOther(ctx, at.href(`${section.path}/${key.id}`, { done: 'saved' }));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const values = { ...emptyKeyForm(key.kind, key.environment), ...edit };
        const { form: text, ...editErrors } = faultsOf(error, values);
        const notice = text === undefined ? undefined : { tone: 'error', text };
        return detail(ctx, at, key, { edit, editErrors, notice }, 422);
      }
    }),
    route('POST', '/:id/rotate', async (ctx, at) => {
      const key = await keyOf(ctx, at);
      const { handle } = readKeyForm(ctx.state.form, section.kinds);
      const overlap = overlapOf(ctx.state.form.get('overlap'));
      if (overlap === undefined) throw new Problem('bad_request', 'Choose when the old key ends.');
      if (!(await passwordGate.pass(ctx))) return;
      try {
        const id = await desk.mint(at, handle, (service, by) =>
          service.rotate(by, key.id, overlap),
        );
        return seeOther(ctx, secretAddress(at, id, handle));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return detail(ctx, at, key, { notice: { tone: 'error', text: error.message } }, 409);
      }
    }),
    route('POST', '/:id/end', async (ctx, at) => {
      const key = await keyOf(ctx, at);
      await desk.change(at, (service, by) =>
        service.revoke(by, key.id, 'ended after its rotation', key.name),
      );
      return seeOther(ctx, at.href(section.path, { done: 'revoked' }));
    }),
    route('POST', '/:id/revoke', async (ctx, at) => {
      const key = await keyOf(ctx, at);
      const confirm = ctx.state.form.get('confirm') || undefined;
      try {
        await desk.change(at, (service, by) => service.revoke(by, key.id, null, confirm));
        return seeOther(ctx, at.href(section.path, { done: 'revoked' }));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const revokeError = `Type the name of the key, ${key.name}, to revoke it.`;
        return detail(ctx, at, key, { revokeError }, 409);
      }
    }),
  ];
}

const CHANGED_MEANWHILE = {
  tone: 'warning',
  text: 'Somebody else has changed this key meanwhile. Your values are in the form below: look at what changed, then save again.',
};

/** A refusal that the form shows. */
function isRefusal(error: unknown): error is Problem {
  return (
    error instanceof Problem && ['validation_failed', 'conflict', 'forbidden'].includes(error.code)
  );
}

function faultsOf(error: unknown, values: KeyFormValues) {
  if (!(error instanceof Problem)) throw error;
  return error.errors === undefined ? { form: error.message } : errorsOf(error.errors, values);
}

function editOf(form: URLSearchParams) {
  const text = (name: string) => (form.get(name) ?? '').slice(0, 10_000);
  return {
    name: text('name'),
    allowedIps: text('allowedIps'),
    expires: text('expires'),
    expiresOn: text('expiresOn'),
    rateLimit: text('rateLimit').trim(),
  };
}

/** The members that a form changes. An expiry on the day of the present one is left as it is. */
function changeOf(key: StoredCredential, edit: ReturnType<typeof editOf>, now: Date): KeyChange {
  const isSameDay =
    edit.expires === 'date' && edit.expiresOn === key.expiresAt?.toISOString().slice(0, 10);
  const isStillNever = edit.expires === 'never' && key.expiresAt === null;
  return parseWith(keyChange, {
    name: edit.name,
    allowedIps: addressesOf(edit.allowedIps),
    rateLimitPerMinute: limitOf(edit.rateLimit),
    ...(!isSameDay && !isStillNever && { expiresAt: expiryOf(edit, now) }),
  });
}

/** The same page with the environment of its key. */
function inItsEnvironment(ctx: SettingsContext, { environment }: StoredCredential): string {
  const query = new URLSearchParams(ctx.querystring);
  query.set('env', environment);
  return `${ctx.path}?${query.toString()}`;
}
