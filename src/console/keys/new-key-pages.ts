import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import {
  emptyKeyForm,
  readKeyForm,
  requestOf,
  type KeyFormErrors,
  type KeyFormValues,
} from './key-form.js';
import { kindsSeen, type KeySection } from './key-section.js';
import { accessFault, presetOf, showNewKey } from './new-key-page.js';
import { showSecret } from './secret-page.js';
import {
  faultsOf,
  isRefusal,
  keyOf,
  secretAddress,
  sectionRoute,
  withRestore,
  type KeyPagesDependencies,
} from './section-routes.js';

/** The form for a new key, and the page that shows its secret once. */
export function createNewKeyPages(
  dependencies: KeyPagesDependencies,
  section: KeySection,
): SettingsRoute[] {
  const { showPage, confirmationGate, desk } = dependencies;
  const show = async (
    ctx: SettingsContext,
    at: OrganizationContext,
    values: KeyFormValues,
    errors?: KeyFormErrors,
  ) => {
    const page = await showNewKey(dependencies, section, at, values, errors ?? {});
    showPage(ctx, 'new-key', page, { status: errors === undefined ? 200 : 422 });
  };

  return [
    sectionRoute(section, 'GET', '/new', (ctx, at) =>
      show(ctx, at, emptyKeyForm(kindFor(ctx, section, at), at.environment)),
    ),
    withRestore(
      sectionRoute(section, 'POST', '/new', async (ctx, at) => {
        const sent = ctx.state.form;
        const values = readKeyForm(sent, kindsSeen(section, at.role));
        const preset = sent.get('preset');
        if (preset !== null) {
          return show(ctx, at, { ...values, scopes: presetOf(preset, values, at.role) });
        }
        const access = accessFault(values, at.role);
        if (access !== undefined) return show(ctx, at, values, { access });
        if (!(await confirmationGate.pass(ctx))) return;
        try {
          const id = await desk.mint(at, values.handle, (service, by, now) =>
            service.create(by, requestOf(values, now)),
          );
          return seeOther(ctx, secretAddress(section, at, id, values.handle));
        } catch (error) {
          if (!isRefusal(error)) throw error;
          return show(ctx, at, values, faultsOf(error, values));
        }
      }),
      (ctx, at) => show(ctx, at, readKeyForm(ctx.state.form, kindsSeen(section, at.role))),
    ),
    sectionRoute(section, 'GET', '/:id/secret', async (ctx, at) => {
      const key = await keyOf(desk, section, ctx);
      showPage(ctx, 'key-secret', await showSecret(dependencies, section, at, key, ctx));
    }),
  ];
}

/** The kind that the address names, or the usual one of the section. */
function kindFor(ctx: SettingsContext, section: KeySection, at: OrganizationContext) {
  const kinds = kindsSeen(section, at.role);
  const wanted = new URLSearchParams(ctx.querystring).get('kind');
  const usual = kinds.includes('secret') ? 'secret' : (kinds[0] ?? 'secret');
  return kinds.find((name) => name === wanted) ?? usual;
}
