import type { CredentialStore, CredentialFilter, WrittenKey } from '../credentials/index.js';
import type { PageRequest } from '../http/pagination.js';
import type { KeyPresenter } from './key-presenter.js';

/** A key of a page, as JSON. */
interface PageRow {
  /** Its position in the list. */
  readonly id: number;
  readonly json: string;
}

/** Reads a page of keys as the API shows them, newest first, up to one more than asked for. */
export async function readKeyPage(
  store: CredentialStore,
  tenantId: string,
  filter: CredentialFilter,
  request: PageRequest,
  present: KeyPresenter,
): Promise<{ readonly rows: readonly PageRow[]; readonly resumeAfter?: number | undefined }> {
  const written = await store.listWritten(tenantId, filter, request);
  if (written !== undefined) {
    return { rows: written.map((row) => ({ id: row.id, json: withKey(row, present) })) };
  }
  const { found, resumeAfter } = await store.list(tenantId, filter, request);
  const rows = found.map((key) => ({
    id: Number(key.issueSeq),
    json: JSON.stringify(present(key)),
  }));
  return { rows, resumeAfter };
}

/** The JSON of a row, with the key itself if it is publishable. */
function withKey({ json, sealed }: WrittenKey, present: KeyPresenter): string {
  if (sealed === undefined) return json;
  return `${json.slice(0, -1)},"key":${JSON.stringify(present.reveal(sealed))}}`;
}
