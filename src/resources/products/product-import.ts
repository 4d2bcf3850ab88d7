import type { InputLine } from '../../http/body/input-lines.js';
import { Problem } from '../../http/errors/problem.js';
import { parseWith } from '../../http/validation.js';
import { newProduct, type ProductFields } from './product-schema.js';
import type { UpsertCounts } from './product-store.js';

/** The result of an import. */
export interface ImportReport extends UpsertCounts {
  readonly unchanged: number;
  readonly refused: number;
  /** The first refused lines. */
  readonly refusals: readonly Refusal[];
}

interface Refusal {
  /** Counted from 1, empty lines included. */
  readonly line: number;
  readonly reason: string;
}

/** Products per statement. */
const BATCH = 500;
/** Maximum refusals in the report. */
const MAX_REFUSALS = 100;

/**
 * Imports products, one JSON object per line, and stores the valid ones. A second line with the same `sku` is refused,
 * because the intended one is unknown.
 *
 * @param store inserts products, and updates those with the same `sku`
 */
export async function importProducts(
  lines: AsyncIterable<InputLine>,
  store: (products: readonly ProductFields[]) => Promise<UpsertCounts>,
): Promise<ImportReport> {
  const counts = { created: 0, updated: 0, unchanged: 0, refused: 0 };
  const refusals: Refusal[] = [];
  const lineOfSku = new Map<string, number>();
  let batch: ProductFields[] = [];
  const flush = async () => {
    if (batch.length === 0) return;
    const { created, updated } = await store(batch);
    counts.created += created;
    counts.updated += updated;
    counts.unchanged += batch.length - created - updated;
    batch = [];
  };

  for await (const read of lines) {
    const { line } = read;
    if ('text' in read && read.text.trim() === '') continue;
    const product = 'text' in read ? readProduct(read.text, lineOfSku) : read.reason;
    if (typeof product === 'string') {
      counts.refused++;
      if (refusals.length < MAX_REFUSALS) refusals.push({ line, reason: product });
      continue;
    }
    lineOfSku.set(product.sku, line);
    if (batch.push(product) === BATCH) await flush();
  }
  await flush();
  return { ...counts, refusals };
}

/** @returns the product, or the reason why it is invalid; the reason never quotes the line */
function readProduct(
  written: string,
  lineOfSku: ReadonlyMap<string, number>,
): ProductFields | string {
  try {
    const product = parseWith(newProduct, JSON.parse(written));
    const line = lineOfSku.get(product.sku);
    return line === undefined ? product : `sku: is the one of line ${line} too`;
  } catch (error) {
    if (!(error instanceof Problem)) return 'is not valid JSON';
    return (error.errors ?? [])
      .map(({ field, message }) => [...(field === '' ? [] : [field]), message].join(': '))
      .join('; ');
  }
}
