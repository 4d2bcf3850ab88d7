import type { EntityManager } from 'typeorm';

import {
  createAuditReader,
  entryFilterOf,
  entryParameters,
  thingOf,
  type EntryParameters,
  type Exporter,
} from '../../audit-log/index.js';
import { singleValue } from '../../http/body/form.js';
import type { Pagination } from '../../http/pagination.js';
import { faultsOf, OUR_MESSAGES } from '../../http/validation.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { KNOWN_ACTIONS, actionInWords } from './action-words.js';
import { findEntryLinks } from './entry-links.js';
import { LOG, showEntry } from './entry-view.js';

interface Dependencies {
  readonly dataSource: { readonly manager: EntityManager };
  readonly pagination: Pagination;
  readonly exporter: Exporter;
  readonly showPage: ShowPage;
  /** How long the log is kept. */
  readonly auditRetentionDays: number;
}

const EXPORTS = `${LOG}/exports`;
const PAGE_SIZE = 25;

/** Filters that are shown only when one asks for more of them. */
const FURTHER = ['object', 'result', 'address', 'requestId'];

/** `/settings/audit-log`: the entries of the organization, newest first, and their export. */
export function createAuditPages(dependencies: Dependencies): SettingsRoute[] {
  const { dataSource, exporter } = dependencies;
  return [
    {
      method: 'GET',
      path: LOG,
      access: { page: LOG },
      handle: (ctx) => showLog(ctx, dependencies),
    },
    {
      method: 'GET',
      path: EXPORTS,
      access: { page: LOG },
      async handle(ctx) {
        const { tenantId } = ctx.state.organization;
        const search = new URLSearchParams(ctx.querystring);
        const { parameters } = readFilters(search);
        const format = singleValue(search, 'format') === 'jsonl' ? 'jsonl' : 'csv';
        const reader = createAuditReader(dataSource.manager, tenantId);
        await exporter.send(ctx, reader, tenantId, { format, filter: entryFilterOf(parameters) });
      },
    },
  ];
}

async function showLog(
  ctx: SettingsContext,
  { dataSource, pagination, showPage, auditRetentionDays }: Dependencies,
): Promise<void> {
  const at = ctx.state.organization;
  const search = new URLSearchParams(ctx.querystring);
  const { values, parameters, errors } = readFilters(search);
  const list = ['audit-log page', at.tenantId, JSON.stringify(values)];
  const cursor = singleValue(search, 'cursor');
  const request = pagination.readPair({ limit: PAGE_SIZE, cursor }, list);
  const hasErrors = Object.keys(errors).length > 0;
  const reader = createAuditReader(dataSource.manager, at.tenantId);
  const { found, resumeAfter } = hasErrors
    ? { found: [], resumeAfter: undefined }
    : await reader.list(entryFilterOf(parameters), request);
  const page = pagination.pagePair(found, request, list, (item) => item.position, resumeAfter);
  const objects = page.items.map(({ entry }) => thingOf(entry.object.id));
  const links = await findEntryLinks(dataSource.manager, at, objects);
  const next = page.cursor === null ? undefined : at.href(LOG, { ...values, cursor: page.cursor });
  const view = {
    title: 'Audit log',
    tenantName: at.tenantName,
    retention: `Entries are kept for ${auditRetentionDays} days.`,
    ...formOf(at, values, errors),
    entries: page.items.map(({ entry }) => showEntry(entry, at, links)),
    count: countText(page.items.length, next !== undefined, resumeAfter !== undefined),
    first: cursor === undefined ? undefined : at.href(LOG, values),
    next,
    // An export with the same filters would be refused.
    exports: hasErrors ? [] : exportsOf(at, values),
  };
  showPage(ctx, 'audit-log', view, { status: hasErrors ? 422 : 200 });
}

function exportsOf(at: OrganizationContext, values: Readonly<Record<string, string>>) {
  return [
    { text: 'Export as CSV', href: at.href(EXPORTS, { ...values, format: 'csv' }) },
    { text: 'Export as JSON lines', href: at.href(EXPORTS, { ...values, format: 'jsonl' }) },
  ];
}

/** The form of the filters, with what was given. */
function formOf(
  at: OrganizationContext,
  values: Readonly<Record<string, string>>,
  errors: Readonly<Record<string, string>>,
) {
  const { action } = values;
  const offered =
    action === undefined || KNOWN_ACTIONS.includes(action)
      ? KNOWN_ACTIONS
      : [...KNOWN_ACTIONS, action];
  return {
    action: LOG,
    hidden: [...new URLSearchParams(at.href('').slice(1))],
    values,
    errors,
    isFiltered: Object.keys(values).length > 0,
    hasMore: FURTHER.some((name) => name in values),
    all: at.href(LOG),
    actions: offered.map((value) => ({ value, text: sentence(actionInWords(value)) })),
  };
}

/**
 * Reads the filters of the address. Empty fields of the form are ignored.
 * @returns the values as they were given, the parameters, and messages by field
 */
function readFilters(search: URLSearchParams): {
  readonly values: Readonly<Record<string, string>>;
  readonly parameters: EntryParameters;
  readonly errors: Readonly<Record<string, string>>;
} {
  const values: Record<string, string> = {};
  for (const name of Object.keys(entryParameters.shape)) {
    const value = singleValue(search, name);
    if (value !== undefined) values[name] = value;
  }
  const result = entryParameters.safeParse(values, OUR_MESSAGES);
  if (result.success) return { values, parameters: result.data, errors: {} };
  const faults = faultsOf(result.error).map(({ field, message }) => [field, `This ${message}.`]);
  return { values, parameters: {}, errors: Object.fromEntries(faults) as Record<string, string> };
}

function countText(count: number, hasNext: boolean, isCutShort: boolean): string {
  if (isCutShort)
    return `${count} found in this part of the log. The next page searches further back.`;
  const entries = count === 1 ? '1 entry' : `${count} entries`;
  return hasNext ? `${entries} on this page` : entries;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
