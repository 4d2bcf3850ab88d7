import type { DataSource } from 'typeorm';

import { singleValue } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import type { Csrf } from '../../http/pages/csrf.js';
import type { Pagination } from '../../http/pagination.js';
import { isOverseer, delegableBy, ROLES } from '../../scopes/roles.js';
import {
  createSpaceService,
  spaceFields,
  type Space,
  type SpaceManager,
  type SpaceService,
} from '../../spaces/index.js';
import { day } from '../moments.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { seeOther } from '../visitor.js';
import { NEW, RENAME, SPACES } from './paths.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly pagination: Pagination;
  readonly csrf: Csrf;
  readonly showPage: ShowPage;
}

const PAGE_SIZE = 25;

/** The roles that manage spaces by the API manage them here. */
const MANAGERS = ROLES.filter((role) => delegableBy(role).includes('spaces:manage'));

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['created', 'The space is created.'],
  ['renamed', 'The space is renamed.'],
  ['same', 'The space had this name already. Nothing was changed.'],
]);

const FAULT = 'Give it a name of 1 to 100 characters, on one line.';

/** Fault of a submitted name. */
interface Failed {
  readonly status: number;
  readonly typed: string;
  readonly fault?: string;
}

/** `/settings/spaces`: the parts of the organization's data. */
export function createSpacePages(dependencies: Dependencies): SettingsRoute[] {
  const { dataSource } = dependencies;
  const access = { page: SPACES, roles: MANAGERS } as const;
  const serviceOf = () => createSpaceService(dataSource.manager);
  const find = (ctx: SettingsContext) =>
    serviceOf().find(managerOf(ctx.state.organization), ctx.params['id'] ?? '');

  return [
    {
      method: 'GET',
      path: SPACES,
      access: { page: SPACES },
      handle: (ctx) => showList(ctx, dependencies),
    },
    { method: 'GET', path: NEW, access, handle: (ctx) => showForm(ctx, dependencies, undefined) },
    {
      method: 'POST',
      path: NEW,
      access,
      restore: (ctx) => showForm(ctx, dependencies, undefined, typedIn(ctx)),
      async handle(ctx) {
        const at = ctx.state.organization;
        const failed = await submit(ctx, dataSource, (service, name) =>
          service.create(managerOf(at), { name }),
        );
        if (failed !== undefined) return showForm(ctx, dependencies, undefined, failed);
        return seeOther(ctx, at.href(SPACES, { done: 'created' }));
      },
    },
    {
      method: 'GET',
      path: RENAME,
      access,
      handle: async (ctx) => showForm(ctx, dependencies, await find(ctx)),
    },
    {
      method: 'POST',
      path: RENAME,
      access,
      restore: async (ctx) => showForm(ctx, dependencies, await find(ctx), typedIn(ctx)),
      async handle(ctx) {
        const at = ctx.state.organization;
        const seen = singleValue(ctx.state.form, 'seen');
        const space = await find(ctx);
        const failed = await submit(ctx, dataSource, (service, name) =>
          service.change(managerOf(at), space.id, { name }, seen),
        );
        if (failed !== undefined) return showForm(ctx, dependencies, await find(ctx), failed);
        const isSame = typedIn(ctx).typed.trim() === space.name;
        return seeOther(ctx, at.href(SPACES, { done: isSame ? 'same' : 'renamed' }));
      },
    },
  ];
}

function typedIn({ state }: SettingsContext): Failed {
  return { status: 200, typed: state.form.get('name') ?? '' };
}

/** Both environments share spaces, so they are managed as in live. */
function managerOf({ actor, tenantId }: OrganizationContext): SpaceManager {
  return { actor, tenantId, spaces: null, environment: 'live' };
}

/** @returns what is wrong with the submitted name, or why the service refused it */
async function submit(
  ctx: SettingsContext,
  dataSource: DataSource,
  work: (service: SpaceService, name: string) => Promise<unknown>,
): Promise<Failed | undefined> {
  const typed = singleValue(ctx.state.form, 'name') ?? '';
  const name = spaceFields.shape.name.safeParse(typed).data;
  if (name === undefined) return { status: 422, typed, fault: FAULT };
  try {
    await dataSource.transaction((manager) => work(createSpaceService(manager), name));
    return undefined;
  } catch (error) {
    if (error instanceof Problem && error.code === 'conflict') {
      return { status: 409, typed, fault: error.message };
    }
    throw error;
  }
}

function showForm(
  ctx: SettingsContext,
  { csrf, showPage }: Dependencies,
  space: Space | undefined,
  failed?: Failed,
): void {
  const { href } = ctx.state.organization;
  const page = {
    csrf: csrf.token(ctx),
    back: href(SPACES),
    typed: failed?.typed ?? space?.name ?? '',
    fault: failed?.fault,
    ...(space === undefined
      ? {
          title: 'New space',
          heading: 'New space',
          lead: 'A space holds a part of your data, such as a project or a site. Keys can be restricted to spaces.',
          submit: 'Create space',
          action: href(NEW),
          seen: undefined,
        }
      : {
          title: `Rename ${space.name}`,
          heading: space.name,
          lead: 'Its id stays the same, so keys that are restricted to it keep working.',
          submit: 'Save',
          action: href(RENAME.replace(':id', space.id)),
          seen: space.name,
        }),
  };
  showPage(ctx, 'space', page, { status: failed?.status ?? 200 });
}

async function showList(
  ctx: SettingsContext,
  { dataSource, pagination, showPage }: Dependencies,
): Promise<void> {
  const at = ctx.state.organization;
  const search = new URLSearchParams(ctx.querystring);
  const cursor = singleValue(search, 'cursor');
  const list = ['spaces page', at.tenantId];
  const request = pagination.read(
    new URLSearchParams({ limit: String(PAGE_SIZE), ...(cursor !== undefined && { cursor }) }),
    list,
  );
  const found = await createSpaceService(dataSource.manager).list(managerOf(at), request);
  const page = pagination.page(found, request, list, ({ seq }) => Number(seq));
  const isManager = MANAGERS.includes(at.role) && !at.isSuspended;
  const shown = page.items.length === 1 ? '1 space' : `${page.items.length} spaces`;
  showPage(ctx, 'spaces', {
    title: 'Spaces',
    notice: NOTICES.get(singleValue(search, 'done') ?? ''),
    create: isManager ? at.href(NEW) : undefined,
    isDetailed: isOverseer(at.role),
    spaces: page.items.map(({ id, name, isDefault, createdAt }) => ({
      id,
      name,
      isDefault,
      created: day(createdAt),
      rename: isManager ? at.href(RENAME.replace(':id', id)) : undefined,
    })),
    count: page.cursor === null && cursor === undefined ? shown : `${shown} on this page`,
    first: cursor === undefined ? undefined : at.href(SPACES),
    next: page.cursor === null ? undefined : at.href(SPACES, { cursor: page.cursor }),
  });
}
