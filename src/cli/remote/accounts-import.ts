import { type ImportOutcome, MAX_IMPORT_BYTES } from '../../accounts/index.js';
import { importFrom } from '../actions/accounts-import.js';
import type * as local from '../actions/accounts-import.js';
import type { RemoteActions } from '../backend.js';

type Actions = RemoteActions<typeof local, 'importAccountsFrom'>;

export const importAccountsFrom: Actions['importAccountsFrom'] = ({ api, ...context }, values) => {
  const { dryRun, update } = values;
  const mode = update ? 'update' : 'skip';
  return importFrom(context, values, {
    maxBytes: MAX_IMPORT_BYTES,
    async importBatch(lines) {
      const { outcomes } = await api.send<{ outcomes: readonly ImportOutcome[] }>(
        'POST',
        '/accounts/imports',
        { mode, dryRun, accounts: lines.map(({ text }) => JSON.parse(text) as unknown) },
      );
      return outcomes;
    },
  });
};
