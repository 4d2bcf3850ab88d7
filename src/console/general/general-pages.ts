import type { DataSource } from 'typeorm';

import { createTenantService, createTenantStore, tenantFields } from '../../tenants/index.js';
import { singleValue } from '../../http/body/form.js';
import type { Csrf } from '../../http/pages/csrf.js';
import { Problem } from '../../http/errors/problem.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { seeOther } from '../visitor.js';
import { ADMINISTRATORS, isAdministrator } from '../../scopes/roles.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly config: { readonly ISSUER: string };
  readonly csrf: Csrf;
  readonly showPage: ShowPage;
}

const PAGE = '/settings/general';

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['renamed', 'The organization is renamed.'],
  ['same', 'The organization had this name already. Nothing was changed.'],
]);

/** Failure of a submitted name. */
interface Failed {
  readonly status: number;
  readonly typed: string;
  readonly fault?: string;
  readonly problem?: string;
}

/** `/settings/general`: the organization's name, and the ids by which programs know it. */
export function createGeneralPages({
  dataSource,
  config,
  csrf,
  showPage,
}: Dependencies): SettingsRoute[] {
  async function show(ctx: SettingsContext, failed?: Failed): Promise<void> {
    const { tenantId, role, isSuspended, href } = ctx.state.organization;
    const tenant = await createTenantStore(dataSource.manager).find(tenantId);
    if (tenant === undefined) throw new Problem('not_found', 'Organization not found.');
    const done = singleValue(new URLSearchParams(ctx.querystring), 'done') ?? '';
    const page = {
      title: 'General',
      csrf: csrf.token(ctx),
      action: href(PAGE),
      notice: NOTICES.get(done),
      problem: failed?.problem,
      canRename: isAdministrator(role) && !isSuspended,
      name: tenant.name,
      typed: failed?.typed ?? tenant.name,
      fault: failed?.fault,
      ids: [
        { title: 'Id', value: tenant.id, hint: 'Never changes. Answers of the API name it.' },
        { title: 'Slug', value: tenant.slug, hint: 'In addresses of this console.' },
        { title: 'Issuer', value: config.ISSUER, hint: 'The address of the authorization server.' },
      ],
    };
    showPage(ctx, 'general', page, { status: failed?.status ?? 200 });
  }

  return [
    { method: 'GET', path: PAGE, access: { page: PAGE }, handle: (ctx) => show(ctx) },
    {
      method: 'POST',
      path: PAGE,
      access: { page: PAGE, roles: ADMINISTRATORS },
      restore: (ctx) => show(ctx, { status: 200, typed: ctx.state.form.get('name') ?? '' }),
      async handle(ctx) {
        const { form, organization } = ctx.state;
        const { actor, tenantId, href } = organization;
        const typed = singleValue(form, 'name') ?? '';
        const seen = singleValue(form, 'seen');
        const name = tenantFields.shape.name.safeParse(typed).data;
        if (name === undefined) {
          const fault = 'Give it a name of 1 to 100 characters, on one line.';
          return show(ctx, { status: 422, typed, fault });
        }
        const result = await dataSource.transaction((manager) =>
          createTenantService(manager).update(actor, tenantId, { name }, seen),
        );
        if (result !== 'changed') {
          return seeOther(ctx, href(PAGE, { done: name === seen ? 'same' : 'renamed' }));
        }
        const problem =
          'Somebody else has renamed the organization in the meantime. Save again to use your name.';
        return show(ctx, { status: 409, typed, problem });
      },
    },
  ];
}
