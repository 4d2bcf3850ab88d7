import {
  createAuditReader,
  entryFilterOf,
  entryParameters,
  exportTexts,
  type PlacedEntry,
  type ShownEntry,
} from '../../audit-log/index.js';
import type { PairPosition } from '../../http/pagination.js';
import type { CommandContext } from '../command.js';
import { pageOf, type OpenList } from '../listing.js';
import { TextStream } from '../output.js';
import { parseOption } from '../parse-option.js';
import { getTenant } from './tenants.js';

interface FilterValues {
  readonly tenant: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly actor: string | undefined;
  readonly action: string | undefined;
  readonly object: string | undefined;
  readonly result: 'success' | 'refused' | undefined;
  readonly address: string | undefined;
  readonly requestId: string | undefined;
}

export async function listEntries(
  context: CommandContext,
  values: FilterValues,
): Promise<OpenList<PlacedEntry, PairPosition>> {
  const { reader, filter } = await open(context, values);
  return {
    async read(page) {
      const { found, resumeAfter } = await reader.list(filter, page);
      return pageOf(found, page.limit, ({ position }) => position, resumeAfter);
    },
    present: ({ entry }) => presentListed(entry),
  };
}

/** An entry as a row of a table. */
export function presentListed(entry: ShownEntry): object {
  return {
    ...entry,
    actor: entry.actor.name ?? entry.actor.id,
    object: entry.object.name ?? entry.object.id,
    actorId: entry.actor.id,
    objectId: entry.object.id,
  };
}

export async function exportEntries(
  context: CommandContext,
  values: FilterValues & { readonly format: 'csv' | 'jsonl' },
): Promise<TextStream> {
  const { reader, filter } = await open(context, values);
  return new TextStream(exportTexts(reader, filter, values.format));
}

/**
 * The parameters that the options are, checked.
 * @throws Misuse that names the option
 */
export function parametersOf({ tenant: tenantId, ...given }: FilterValues) {
  const { from, to, actor, action, object, result, address, requestId } = given;
  const names = Object.keys(entryParameters.shape) as (keyof typeof entryParameters.shape)[];
  for (const name of names)
    parseOption(OPTION[name] ?? name, entryParameters.shape[name], given[name]);
  return { tenantId, from, to, actor, action, object, result, address, requestId };
}

/** @throws Problem for an unknown tenant, or a value that is not valid */
async function open({ manager }: CommandContext, values: FilterValues) {
  const { tenantId: tenant, ...given } = parametersOf(values);
  const tenantId = tenant === undefined ? undefined : (await getTenant(manager, tenant)).id;
  return {
    reader: createAuditReader(manager, tenantId),
    filter: entryFilterOf(entryParameters.parse(given)),
  };
}

/** Options whose names differ from those of the parameters. */
const OPTION: Readonly<Record<string, string>> = { requestId: 'request-id' };
