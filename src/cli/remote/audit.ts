import { exportPages, type ShownEntry } from '../../audit-log/index.js';
import { parametersOf, presentListed } from '../actions/audit.js';
import type * as local from '../actions/audit.js';
import type { RemoteActions } from '../backend.js';
import type { RemoteContext } from '../context.js';
import { TextStream } from '../output.js';
import { openRemoteList } from './listing.js';

type Actions = RemoteActions<typeof local, 'listEntries' | 'exportEntries'>;

const PATH = '/audit-log';
const PAGE = 100;

export const listEntries: Actions['listEntries'] = async ({ api }, values) =>
  openRemoteList<ShownEntry>(api, PATH, parametersOf(values), presentListed);

export const exportEntries: Actions['exportEntries'] = async ({ api }, { format, ...filter }) =>
  new TextStream(exportPages(pagesOf(api, parametersOf(filter)), format));

async function* pagesOf(
  api: RemoteContext['api'],
  parameters: Readonly<Record<string, string | undefined>>,
): AsyncGenerator<readonly ShownEntry[]> {
  for (let after: string | undefined; ;) {
    const { items, next } = await api.page<ShownEntry>(PATH, parameters, { limit: PAGE, after });
    yield items;
    if (next === undefined) return;
    after = next;
  }
}
