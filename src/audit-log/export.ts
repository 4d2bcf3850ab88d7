import { Readable } from 'node:stream';

import { Problem } from '../http/errors/problem.js';
import type { PairPosition } from '../http/pagination.js';
import type { AuditReader, FoundPage } from './audit-reader.js';
import type { EntryFilter } from './entry-filters.js';
import type { ShownEntry } from './entry-presenter.js';
import { EXPORT_FORMATS, type ExportFormatName } from './export-formats.js';

/** Entries per statement. Each statement is a transaction of its own, so a slow client keeps none open. */
const BATCH = 1000;
/** Exports of more than a batch at the same time in a process. Each holds a batch in memory. */
const MAX_RUNNING = { perTenant: 2, all: 20 } as const;
const RETRY_AFTER_SECONDS = 10;
/** A client that takes longer is cut off. */
const MAX_MS = 30 * 60_000;

/** The part of Koa's context that an export needs. */
interface Answer {
  readonly method: string;
  status: number;
  set(headers: Record<string, string>): unknown;
  body?: unknown;
}

/** Answers with exports of the audit log, as files. */
export interface Exporter {
  /**
   * Streams every entry that the filter matches, newest first. Memory does not depend on their number. It ends when the
   * client leaves. A failure after the first entries cuts the connection, so that the client does not take a part for
   * the whole.
   *
   * @param tenantId the tenant, whose exports at the same time are limited
   * @throws Problem `rate_limited` while too many exports run
   */
  send(
    ctx: Answer,
    reader: AuditReader,
    tenantId: string,
    wanted: { readonly format: ExportFormatName; readonly filter: EntryFilter },
  ): Promise<void>;
}

export function createExporter(): Exporter {
  const running = new Map<string, number>();
  let all = 0;

  function begin(tenantId: string): () => void {
    const own = running.get(tenantId) ?? 0;
    if (own >= MAX_RUNNING.perTenant || all >= MAX_RUNNING.all) {
      const headers = { 'Retry-After': String(RETRY_AFTER_SECONDS) };
      throw new Problem('rate_limited', 'Other exports are running. Wait for one to end.', {
        headers,
      });
    }
    running.set(tenantId, own + 1);
    all += 1;
    return () => {
      const left = (running.get(tenantId) ?? 1) - 1;
      if (left === 0) running.delete(tenantId);
      else running.set(tenantId, left);
      all -= 1;
    };
  }

  return {
    async send(ctx, reader, tenantId, { format, filter }) {
      const { mediaType, extension } = EXPORT_FORMATS[format];
      const readFrom = within(MAX_MS, batchesOf(reader, filter));
      // Read before the answer begins, so that a failure has a status.
      const first = await readFrom(undefined);
      const isLong = first.next !== undefined && ctx.method !== 'HEAD';
      const end = isLong ? begin(tenantId) : undefined;
      const stream = Readable.from(textsOf(first, readFrom, format), { objectMode: false });
      if (end !== undefined) stream.once('close', end);
      ctx.status = 200;
      ctx.set({
        'Content-Type': mediaType,
        'Content-Disposition': `attachment; filename="audit-log-${today()}.${extension}"`,
        'Cache-Control': 'no-store',
      });
      ctx.body = stream;
    },
  };
}

interface Batch {
  readonly entries: readonly ShownEntry[];
  /** Where the next batch begins; `undefined` at the end of the log. */
  readonly next: PairPosition | undefined;
}

type ReadFrom = (after: PairPosition | undefined) => Promise<Batch>;

function batchOf({ found, resumeAfter }: FoundPage): Batch {
  const placed = found.slice(0, BATCH);
  const next = found.length > BATCH ? placed.at(-1)?.position : resumeAfter;
  return { entries: placed.map(({ entry }) => entry), next };
}

function batchesOf(reader: AuditReader, filter: EntryFilter): ReadFrom {
  return async (after) => batchOf(await reader.list(filter, { limit: BATCH, after }));
}

function within(ms: number, readFrom: ReadFrom): ReadFrom {
  const deadline = performance.now() + ms;
  return (after) => {
    if (performance.now() > deadline) throw new Error('the export took too long');
    return readFrom(after);
  };
}

/** The texts of an export, one for each batch of entries. */
async function* textsOf(
  first: Batch,
  readFrom: ReadFrom,
  format: ExportFormatName,
): AsyncGenerator<string, void, undefined> {
  const { head, lineOf } = EXPORT_FORMATS[format];
  if (head !== '') yield head;
  for (let batch = first; ; batch = await readFrom(batch.next)) {
    const text = batch.entries.map(lineOf).join('');
    if (text !== '') yield text;
    if (batch.next === undefined) return;
  }
}

/** The texts of an export, for the command line. */
export async function* exportTexts(
  reader: AuditReader,
  filter: EntryFilter,
  format: ExportFormatName,
): AsyncGenerator<string, void, undefined> {
  const readFrom = batchesOf(reader, filter);
  yield* textsOf(await readFrom(undefined), readFrom, format);
}

/** As `exportTexts`, of pages that were read elsewhere. */
export async function* exportPages(
  pages: AsyncIterable<readonly ShownEntry[]>,
  format: ExportFormatName,
): AsyncGenerator<string, void, undefined> {
  const { head, lineOf } = EXPORT_FORMATS[format];
  if (head !== '') yield head;
  for await (const entries of pages) yield entries.map(lineOf).join('');
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
